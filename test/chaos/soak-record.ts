import type { Tally } from '../oracle/matches-log.ts'
import type { Circumstances } from './record.ts'
import type { SoakLoad } from './soak-load.ts'

export type SoakSample = {
  readonly seconds: number
  /** Counts the processes. */
  readonly life: number
  readonly rssMb: number
  readonly heapMb: number | null
  readonly files: number
  readonly folderMb: number
  readonly lag: number
}

export type SoakRecord = Circumstances & {
  readonly kind: 'soak'
  readonly minutes: number
  readonly seed: number
  readonly restarts: { readonly kill: number; readonly sigterm: number }
  readonly load: SoakLoad['counts']
  readonly records: number
  /** Of those, so many were removed by retention meanwhile. */
  readonly removed: number
  readonly compared: Tally
  readonly lost: 0
  readonly doubled: 0
  readonly restartMs: readonly number[]
  /** Of the last process, after its warm-up. */
  readonly steady: {
    readonly minutes: number
    readonly rssMbPerHour: number
    readonly heapMbPerHour: number
    readonly filesPerHour: number
    readonly lagMax: number
  }
  readonly samples: readonly SoakSample[]
}
