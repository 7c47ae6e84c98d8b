import { type FaultKind, faultKinds } from './faults.ts'
import { type Limits } from './scenario.ts'
import { inMacrotask } from './scheduler.ts'
import { simulate } from './simulation.ts'
import { Sometimes } from './sometimes.ts'

/**
 * A smaller run of the same seed that breaks the same property: fewer processes, fewer batches, fewer kinds of
 * trouble. Each is tried by itself, from the smallest on, and kept when the property still breaks.
 */
export async function shrink(seed: number, property: string): Promise<Limits> {
  const breaks = async (limits: Limits): Promise<boolean> => {
    const { violation } = await inMacrotask(() => simulate(seed, new Sometimes(), { limits }))
    return violation?.property === property
  }
  let limits: Limits = {}
  const without: FaultKind[] = []
  for (const kind of faultKinds) if (await breaks({ without: [...without, kind] })) without.push(kind)
  if (without.length > 0) limits = { without }
  for (const part of ['lives', 'batches'] as const) {
    for (let count = 0; count < 20; count++) {
      if (!(await breaks({ ...limits, [part]: count }))) continue
      limits = { ...limits, [part]: count }
      break
    }
  }
  return limits
}

/** The command that runs a seed again, with every step printed. */
export function replayCommand(seed: number, { lives, batches, without = [] }: Limits = {}): string {
  const parts = [
    `npm run simulate -- --seed ${seed}`,
    ...(lives === undefined ? [] : [`--lives ${lives}`]),
    ...(batches === undefined ? [] : [`--batches ${batches}`]),
    ...(without.length === 0 ? [] : [`--without '${without.join(',')}'`]),
  ]
  return parts.join(' ')
}
