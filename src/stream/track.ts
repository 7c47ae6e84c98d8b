import type { StreamPlan, ViewPlan } from '../plan/plan.ts'
import type { TrackProgress } from './checkpoint.ts'
import type { SourceTask, ViewFold } from './source-task.ts'

/**
 * One reading of a stream: a task for each of its source partitions, and the views that its accepted events are folded
 * into. Usually a stream has one track. A view that is new gets a track of its own, which reads the log from its start
 * and, once it stands where the others do, is merged into the stream's.
 */
export class Track {
  readonly number: number
  readonly tasks: readonly SourceTask[]
  readonly folds: ViewFold[]
  /** Still on its way to where the others are. */
  building: boolean
  /** Aborted when nobody needs the track any more, or the engine stops. */
  readonly stop = new AbortController()

  constructor(parts: { number: number; tasks: readonly SourceTask[]; folds: readonly ViewFold[]; building: boolean }) {
    this.number = parts.number
    this.tasks = parts.tasks
    this.folds = [...parts.folds]
    this.building = parts.building
  }

  get stream(): StreamPlan {
    return this.tasks[0]!.stream
  }

  /** Only of the same fingerprint: other names. */
  rename(stream: StreamPlan): void {
    for (const task of this.tasks) task.stream = stream
  }

  /** The tasks of the stream's own topic. */
  get liveTasks(): readonly SourceTask[] {
    return this.tasks.filter(({ source }) => source === 'live')
  }

  /** Whether all of the stream's history was taken, up to its end marks. */
  get historyComplete(): boolean {
    return this.tasks.every(({ source, complete }) => source === 'live' || complete)
  }

  get accepted(): number {
    return this.tasks.reduce((sum, { counts }) => sum + counts.accepted, 0)
  }

  has(view: ViewPlan): boolean {
    return this.folds.some((fold) => fold.view.fingerprint === view.fingerprint)
  }

  progress(): TrackProgress {
    return {
      track: this.number,
      stream: this.stream.fingerprint,
      name: this.stream.name,
      building: this.building,
      sources: this.tasks.map((task) => task.progress()),
      views: this.folds.map(({ view }) => view.fingerprint),
    }
  }
}
