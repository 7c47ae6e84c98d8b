import type { Forgotten } from '../plan/forgotten.ts'
import type { StreamPlan, ViewPlan } from '../plan/plan.ts'
import type { TableColumn, TableWriter } from '../store/offline/table-file.ts'
import type { History } from './history.ts'
import type { MemoryBudget } from './partitions/segment-store.ts'
import type { Sweeper } from './partitions/sweeper.ts'
import type { WorkFolder } from './partitions/work-folder.ts'
import type { Spine } from './spine.ts'

export type Progress = { readonly phase: string; readonly done: number; readonly total: number | null }

export type TrainingOptions = {
  readonly views: readonly ViewPlan[]
  readonly spine: Spine
  readonly histories: readonly { readonly stream: StreamPlan; readonly history: History }[]
  /** Entities whose past counts nowhere any more. */
  readonly forgotten: Forgotten
  /** Whether events of the instant's own millisecond count: `ts <= instant` instead of `ts < instant`. */
  readonly inclusive: boolean
  readonly budget: MemoryBudget
  /** Where what exceeds the budget goes, and what an earlier run left. */
  readonly folder: WorkFolder
  readonly sweeper: Sweeper
  readonly openWriter: (columns: readonly TableColumn[]) => Promise<TableWriter>
  /** Called now and then; what it returns is awaited where others should get a turn. */
  readonly onProgress: (progress: Progress) => Promise<void>
}
