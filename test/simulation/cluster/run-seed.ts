import { inMacrotask } from '../scheduler.ts'
import type { Sometimes } from '../sometimes.ts'
import { type Outcome, simulateCluster } from './simulation.ts'

/** One seed, without the cost of stacks that nobody looks at. */
export async function runClusterSeed(
  seed: number,
  sometimes: Sometimes,
  trace: ((line: string) => void) | null = null,
): Promise<Outcome> {
  const limit = Error.stackTraceLimit
  if (trace === null) Error.stackTraceLimit = 0
  try {
    return await inMacrotask(() => simulateCluster(seed, sometimes, trace))
  } finally {
    Error.stackTraceLimit = limit
  }
}
