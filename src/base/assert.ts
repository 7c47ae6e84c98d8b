/** Stops on a broken invariant of ours. Expected trouble is a fault (faults.ts), never an assertion. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new AssertionFailure(invariant)
}

/** Closes an exhaustive switch: the compiler proves that no case is left. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable value ${JSON.stringify(value)}`)
}

export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure'

  constructor(invariant: string) {
    super(`invariant does not hold: ${invariant}`)
  }
}
