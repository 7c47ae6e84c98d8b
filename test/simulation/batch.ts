import { inMacrotask } from './scheduler.ts'
import { type Outcome, simulate } from './simulation.ts'
import { Sometimes } from './sometimes.ts'
import { Violation } from './violation.ts'

export type Batch = {
  readonly from: number
  readonly seeds: number
  /** Runs every seed twice and compares. */
  readonly twice: boolean
  /** Ends with the first violation. */
  readonly stops: boolean
  readonly onProgress?: (done: number, failed: readonly Failure[]) => void
}

export type Failure = { readonly seed: number; readonly property: string; readonly message: string }

export type BatchResult = {
  readonly seeds: number
  readonly steps: number
  readonly failures: readonly Failure[]
  readonly sometimes: Readonly<Record<string, number>>
}

/** Runs seeds one after another. */
export async function runBatch({ from, seeds, twice, stops, onProgress }: Batch): Promise<BatchResult> {
  const sometimes = new Sometimes()
  const failures: Failure[] = []
  let [done, steps] = [0, 0]
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = await runSeed(seed, { sometimes, twice })
    done += 1
    steps += outcome.steps
    const { violation } = outcome
    if (violation !== null) failures.push({ seed, property: violation.property, message: violation.message })
    if (done % 50 === 0 || violation !== null) onProgress?.(done, failures)
    if (violation !== null && stops) break
  }
  return { seeds: done, steps, failures, sometimes: sometimes.entries() }
}

/** One seed, without the cost of stacks that nobody looks at. */
export async function runSeed(
  seed: number,
  { sometimes, twice }: { readonly sometimes: Sometimes; readonly twice: boolean },
): Promise<Outcome> {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    const outcome = await inMacrotask(() => simulate(seed, sometimes))
    if (!twice || outcome.violation !== null) return outcome
    const again = await inMacrotask(() => simulate(seed, new Sometimes()))
    if (again.hash === outcome.hash && again.steps === outcome.steps) return outcome
    const detail = `${outcome.hash} after ${outcome.steps} steps, then ${again.hash} after ${again.steps}`
    return { ...outcome, violation: new Violation('one seed gives one run', detail) }
  } finally {
    Error.stackTraceLimit = limit
  }
}
