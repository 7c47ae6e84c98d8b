import { MillraceError } from '../../src/base/faults.ts'
import { insertEvent, makeEventColumns } from '../../src/kernel/event-columns.ts'
import { applyEvent, type KeyState, makeKeyState } from '../../src/kernel/key-state.ts'
import { decodeState, encodeState } from '../../src/kernel/state-codec.ts'
import { type FinishedView, finishView, readView } from '../../src/plan/finish-view.ts'
import { Intake, type SourceRecord } from '../../src/plan/intake.ts'
import type { AcceptedEvent, Plan, ViewPlan } from '../../src/plan/plan.ts'
import { makeValueParser } from '../../src/schema/decode.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { sweptReads } from '../kernel/swept.ts'
import { IdTable } from '../../src/kernel/id-table.ts'

export type GoldenRecord = SourceRecord & { readonly partition: number }
export type GoldenRead = { readonly key: Uint8Array; readonly t: number }

/** What a driver found: verdicts in the order of the records, and any read; a string is the code of a fault. */
export type Run = {
  readonly verdicts: readonly string[]
  read(view: ViewPlan, read: GoldenRead): FinishedView | string
}

/** A way from records to values. A new path through the engine is proved by adding it to `drivers`. */
export type Driver = {
  readonly name: string
  /** History has no horizon: reads that a state refuses are answered. */
  readonly readsAnyInstant: boolean
  run(plan: Plan, records: readonly GoldenRecord[]): Run | Promise<Run>
}

type KeepState = (view: ViewPlan, state: KeyState) => KeyState

const streamed = (name: string, keep: KeepState): Driver => ({
  name,
  readsAnyInstant: false,
  run(plan, records) {
    const { verdicts, accepted } = take(plan, records)
    const states = new Map<string, KeyState>()
    for (const view of plan.views) {
      for (const event of accepted) {
        const projected = view.project(event)
        if (projected.outcome !== 'applied') continue
        const name = nameOf(view, projected.key)
        const state = states.get(name) ?? makeKeyState(view.program)
        applyEvent(view.program, state, projected.event)
        states.set(name, keep(view, state))
      }
    }
    return {
      verdicts,
      read: (view, { key, t }) => readOrFault(view, states.get(nameOf(view, key)) ?? null, t),
    }
  },
})

const swept: Driver = {
  name: 'swept',
  readsAnyInstant: true,
  run(plan, records) {
    const { verdicts, accepted } = take(plan, records)
    return {
      verdicts,
      read(view, { key, t }) {
        const columns = makeEventColumns(view.program.columns.length, view.program.keepsTies)
        for (const event of accepted) {
          const projected = view.project(event)
          if (projected.outcome !== 'applied' || nameOf(view, projected.key) !== nameOf(view, key)) continue
          insertEvent(columns, projected.event)
        }
        // Slides there in small steps, so that events are removed and not only added.
        const instants = [30, 20, 12, 8, 5, 3, 2, 1, 0].map((step) => t - step)
        return finishView(view, sweptReads(view.program, columns, instants).at(-1)!)
      },
    }
  },
}

export const drivers: readonly Driver[] = [
  streamed('straight', (_, state) => state),
  streamed('saved after every event', ({ program }, state) => decodeState(program, encodeState(program, state))),
  swept,
]

function take(plan: Plan, records: readonly GoldenRecord[]): { verdicts: string[]; accepted: AcceptedEvent[] } {
  const intakes = new Map<number, Intake>()
  const accepted: AcceptedEvent[] = []
  const verdicts = records.map((record) => {
    const start = { watermark: -1, seen: new IdTable() }
    const intake = intakes.get(record.partition) ?? new Intake(plan.streams[0]!, record.partition, start)
    intakes.set(record.partition, intake)
    const taken = intake.take(record)
    if (taken.verdict === 'accepted') accepted.push(taken.event)
    return taken.verdict
  })
  return { verdicts, accepted }
}

function nameOf(view: ViewPlan, key: Uint8Array): string {
  return `${view.name} ${Buffer.from(key).toString('hex')}`
}

export function readOrFault(view: ViewPlan, state: KeyState | null, t: number): FinishedView | string {
  try {
    return readView(view, state, t)
  } catch (error) {
    if (error instanceof MillraceError) return error.code
    throw error
  }
}

/** The key of a read, given by name in any order. */
export function keyOf(view: ViewPlan, keys: Readonly<Record<string, unknown>>): Uint8Array {
  const values = view.keys.map(({ name, field }) => makeValueParser(field)(keys[name]) as string | number | boolean)
  return encodeKey(
    view.keys.map(({ field }) => field.kind),
    values,
  )
}

export function readByNames(view: ViewPlan, { values }: FinishedView): Readonly<Record<string, unknown>> {
  return Object.fromEntries(view.features.map(({ name }, index) => [name, values[index]]))
}
