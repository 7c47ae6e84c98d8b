import type { FeatureValue } from '../kernel/aggregation.ts'
import type { RemoteWatch } from './remote/remote-watch.ts'

/** Inputs of a model for some entities: input `j` of entity `i` is `values[i * width + j]`, in the model's order. */
export type ModelRows = {
  readonly size: number
  readonly width: number
  readonly values: readonly FeatureValue[]
}

/** Why there is no output. Part of the answer: a reason is never renamed. */
export type FailureReason =
  | 'INPUT_UNUSABLE'
  | 'MODEL_THREW'
  | 'OUTPUT_SHAPE'
  | 'OUTPUT_TYPE'
  | 'OUTPUT_NOT_FINITE'
  /** Of a prediction in the log, which has an answer in any case: there was none in time. */
  | 'LATE'
  /** A server: not reached, broke off, or said that it cannot now. */
  | 'REMOTE_DOWN'
  | 'REMOTE_LATE'
  /** It said no. */
  | 'REMOTE_REFUSED'
  | 'REMOTE_MALFORMED'
  /** It was not asked, because it failed before. */
  | 'CIRCUIT_OPEN'

export type ModelFailure = {
  readonly reason: FailureReason
  /** For whoever asked: nothing of it comes from the model's own code. */
  readonly detail: string
  /** What was thrown, for whoever keeps the model. */
  readonly cause?: unknown
}

/** Outputs in declared order, as the model gave them: not yet checked. */
export type RunResult =
  | {
      readonly outputs: readonly unknown[]
      /** Why they are not those of the model itself. */
      readonly fallback?: FallbackCause
    }
  | { readonly failure: ModelFailure }

/** What kept a model from answering, so that its fallback did. */
export type FallbackCause = Pick<ModelFailure, 'reason' | 'detail'>

/** Runs one artefact. Opened ready to run: what cannot be loaded is a fault of opening. */
export interface ModelRunner {
  /** SHA-256 of the artefact; null: the model is code, which its version alone names. */
  readonly checksum: string | null
  /** The servers that it asks, for whoever watches them. */
  readonly remotes?: readonly RemoteWatch[]
  /**
   * One result per row, in order. Never rejects for what a model does: that is a failure of its rows. After
   * `deadlineMs` no answer is of use: who can break off does so before, early enough for a fallback.
   */
  run(rows: ModelRows, deadlineMs?: number): Promise<readonly RunResult[]>
  close(): Promise<void>
}

/** The same failure for all rows of a run. */
export function failAll(rows: ModelRows, failure: ModelFailure): RunResult[] {
  return Array.from({ length: rows.size }, () => ({ failure }))
}
