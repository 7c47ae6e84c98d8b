import type { Mill, RejectionRecord } from 'millrace'
import type { Payment } from '../simulator.ts'
import type { Pair } from './compare-samples.ts'
import type { Sample } from './samples.ts'
import type { Scores } from './scorer.ts'

/** Everything the demo has to say at one moment; how it is shown is another matter. */
export type Snapshot = {
  readonly simulatedAt: number
  /** How much of the history is there, in [0, 1]; null once it is, and payments come at their pace. */
  readonly warmUp: number | null
  /** Simulated time per real time, as it really was in the last seconds. */
  readonly speed: number
  readonly elapsedSeconds: number
  /** Accepted payments per second. */
  readonly rates: { readonly now: number; readonly overall: number }
  readonly counts: Mill['counts']
  /** Some payments with the features right after them, newest first. */
  readonly payments: readonly ScoredPayment[]
  /** Newest first. */
  readonly deadLetters: readonly RejectionRecord[]
  readonly latency: Latency
  readonly scores: Scores
  readonly proof: Proof
  readonly place: Place
}

/** The score is null for payments of the history. */
export type ScoredPayment = { readonly payment: Payment; readonly sample: Sample; readonly score: number | null }

/** Of the last batches and reads; null before the first. */
export type Latency = {
  /** From the call that sends a batch until its events are in the features. */
  readonly visibleMsP50: number | null
  readonly visibleMsP99: number | null
  /** Of reading one vector, in the process. */
  readonly readMsP50: number | null
}

export type Proof = {
  readonly compared: number
  readonly different: number
  readonly latest: Pair | null
  /** Records of the log behind the latest training rows, and the time these took. */
  readonly records: number
  readonly seconds: number
  /** The first pairs that were not equal. */
  readonly differing: readonly Pair[]
}

export type Place = { readonly folder: string; readonly address: string }

export type VerdictTotals = {
  readonly records: number
  readonly accepted: number
  readonly duplicate: number
  readonly late: number
  readonly refused: number
}

export function totalsOf({ sources }: Mill['counts']): VerdictTotals {
  const total = (part: keyof VerdictTotals): number => sources.reduce((sum, source) => sum + source[part], 0)
  return {
    records: total('records'),
    accepted: total('accepted'),
    duplicate: total('duplicate'),
    late: total('late'),
    refused: total('refused'),
  }
}

/** Whether every record has exactly one verdict, and every accepted event exactly one outcome in every view. */
export function isBalanced({ sources, views }: Mill['counts']): boolean {
  const accepted = sources.reduce((sum, source) => sum + source.accepted, 0)
  return (
    sources.every((one) => one.records === one.accepted + one.duplicate + one.late + one.refused) &&
    Object.values(views).every(({ applied, filtered, unkeyed }) => accepted === applied + filtered + unkeyed)
  )
}
