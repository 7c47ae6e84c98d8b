import { systemClock } from '../../src/base/clock.ts'
import { compilePlan } from '../../src/app/load-plan.ts'
import type { Log, LogRecord } from '../../src/log/log.ts'
import { Forgotten } from '../../src/plan/forgotten.ts'
import type { Plan, ViewPlan } from '../../src/plan/plan.ts'
import { type StateSource, type Vector, VectorReader } from '../../src/serve/vector-reader.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import type { OnlineStore, StoreChange } from '../../src/store/online/online-store.ts'
import { Outputs } from '../../src/stream/outputs.ts'
import { SourceTask, type Targets } from '../../src/stream/source-task.ts'
import { StateTable } from '../../src/stream/state-table.ts'
import { cpuSeconds } from '../harness.ts'

type Definitions = Parameters<typeof compilePlan>[0]

/** Events a task takes before it lets others have a turn: the engine's own batches are of this order. */
const batchEvents = 2_000

/**
 * One source partition on its way from records to states, as the engine does it, without log, timers and other
 * partitions. The benchmarks know the insides of the engine here and nowhere else.
 */
export class FoldRun {
  readonly plan: Plan
  readonly #store: OnlineStore
  readonly #task: SourceTask
  readonly #targets: Targets
  readonly #reader: VectorReader
  #offset = 0

  constructor(definitions: Definitions, store: OnlineStore = openMemoryOnlineStore()) {
    this.plan = compilePlan(definitions)
    this.#store = store
    const stream = this.plan.streams[0]!
    const place = { track: 0, stream, source: 'live', topic: stream.topic, partition: 0 } as const
    this.#task = new SourceTask(place, store, { next: 0, emitFrom: null, progress: null })
    const folds = stream.views.map((view) => ({
      view,
      table: new StateTable(view, store, { keysMax: Infinity, bytesMax: Infinity }),
      counts: { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 },
      first: null,
    }))
    this.#targets = { folds, forgotten: new Forgotten(), outputs: new Outputs(nowhere), features: null }
    this.#reader = new VectorReader(this.plan, this.#source(), systemClock)
  }

  /** The verdicts given so far. */
  get counts(): Readonly<Record<'records' | 'accepted' | 'duplicate' | 'late' | 'refused', number>> {
    return this.#task.counts
  }

  /** Seconds of CPU it takes to fold the events. */
  take(values: readonly Uint8Array[], { batches = true }: { readonly batches?: boolean } = {}): number {
    const records = values.map((value): LogRecord => {
      return { offset: this.#offset++, timestampMs: farAheadMs, key: null, value, headers: [] }
    })
    return cpuSeconds(() => {
      if (!batches) {
        for (const record of records) this.#task.take(record, this.#targets)
        return
      }
      for (let from = 0; from < records.length; from += batchEvents) {
        this.#takeBatch(records.slice(from, from + batchEvents))
      }
    })
  }

  #takeBatch(records: readonly LogRecord[]): void {
    this.#task.takeBatch(records, this.#targets)
  }

  /** Seconds of CPU to encode what changed, which then goes to the store, and the bytes of the changed states. */
  async checkpoint(): Promise<{ readonly seconds: number; readonly stateBytes: number }> {
    let states: StoreChange[] = []
    let ids: StoreChange[] = []
    const seconds = cpuSeconds(() => {
      states = this.#targets.folds.flatMap(({ table }) => table.takeChanges())
      ids = this.#task.takeIdChanges()
    })
    await this.#store.write([...states, ...ids])
    return { seconds, stateBytes: states.reduce((sum, [key, value]) => sum + key.length + (value?.length ?? 0), 0) }
  }

  read(target: string, keys: Readonly<Record<string, unknown>>, asOf: number): Vector {
    return this.#reader.read(this.#reader.prepare({ service: target }), keys, { asOf })
  }

  #source(): StateSource {
    const tables = new Map(this.#targets.folds.map(({ view, table }) => [view, table]))
    return {
      state: (view: ViewPlan, key: Uint8Array) => tables.get(view)!.read(key),
      prefix: () => [this.#task.next],
      historyPrefix: () => null,
      coveredFrom: () => 0,
    }
  }
}

/** Later than any event, so that none is too far ahead of its record. */
const farAheadMs = Date.UTC(2090, 0, 1)

/** Nothing that a benchmark rejects is written anywhere. */
const nowhere = { topics: () => [] } as unknown as Log
