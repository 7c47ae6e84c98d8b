import type { CircuitState } from './circuit.ts'

/** Upper bounds in seconds: a server near by answers in milliseconds, and no request takes longer than a minute. */
export const remoteSecondsBounds: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
]

/** What goes on between a model and its server, for whoever watches it. */
export interface RemoteWatch {
  /** Host and port, and the name of the model over there. */
  readonly server: string
  readonly circuit: CircuitState
  readonly counts: RemoteCounts
  /** Requests that may be sent again at this moment. */
  readonly retriesLeft: number
}

/** What was sent, over the life of a runner. */
export type RemoteCounts = {
  readonly answered: number
  /** By reason of the failure. */
  readonly failed: ReadonlyMap<string, number>
  readonly repeated: number
  /** Of requests that were sent, whatever came of them: by the bounds, one more for what is above; and their sum. */
  readonly seconds: { readonly counts: ArrayLike<number>; readonly sum: number }
}
