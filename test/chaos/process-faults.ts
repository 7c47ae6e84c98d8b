import type { CrashPoint } from '../../src/base/crash-points.ts'
import type { FileOperation } from './failing-file-system.ts'

/** What goes wrong inside a process under test. Handed to `preload.ts` as JSON in the environment. */
export type ProcessFaults = {
  /** Of the log: small, so that segments are rolled, indexed and removed all the time. */
  readonly segmentBytes: number
  /** Dies by its own hand when it gets to this crash point for the `nth` time. */
  readonly crash: { readonly point: CrashPoint; readonly nth: number } | null
  /** A disk that has only what was synced: a kill is then a power cut for the log. */
  readonly powerCut: { readonly seed: number } | null
  /** The `nth` operation of its kind fails; when it `stays`, so do all after it. */
  readonly file: {
    readonly operation: FileOperation
    readonly nth: number
    readonly code: 'EIO' | 'ENOSPC'
    readonly stays: boolean
  } | null
  /** Every sync of the log takes so much longer. */
  readonly syncMs: number
  /** Where to write memory figures, and how often. */
  readonly samples: { readonly file: string; readonly everyMs: number } | null
}

export const noFaults: ProcessFaults = {
  segmentBytes: 24 * 1024,
  crash: null,
  powerCut: null,
  file: null,
  syncMs: 0,
  samples: null,
}

export const environmentName = 'MILLRACE_CHAOS'

export function readProcessFaults(): ProcessFaults {
  const text = process.env[environmentName]
  return text === undefined ? noFaults : (JSON.parse(text) as ProcessFaults)
}
