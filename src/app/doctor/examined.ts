import type { Log } from '../../log/log.ts'
import type { Plan } from '../../plan/plan.ts'
import type { OnlineStore } from '../../store/online/online-store.ts'
import type { Checkpoint } from '../../stream/checkpoint.ts'
import type { CheckProgress } from './finding.ts'

/** What the checks of a checkpoint look at. */
export type Examined = {
  readonly checkpoint: Checkpoint
  readonly store: OnlineStore
  /** Null when it does not open. */
  readonly log: Log | null
  readonly plans: readonly Plan[]
  readonly onProgress: (progress: CheckProgress) => void
}
