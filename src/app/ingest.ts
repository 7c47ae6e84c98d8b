import { partitionFor } from '../base/murmur2.ts'
import type { Clock } from '../base/clock.ts'
import { MillraceError, messageOf } from '../base/faults.ts'
import type { Log, RecordInput } from '../log/log.ts'
import { inspect } from '../plan/intake.ts'
import type { StreamPlan } from '../plan/plan.ts'
import { eventBytesMax, type Refusal, type Row } from '../schema/decode.ts'

/** What became of one event on its way into the log. It is in the log either way, and gets its verdict there. */
export type Ingested = {
  readonly partition: number
  readonly offset: number
  /** Why the stream will refuse it; empty when it is well formed. */
  readonly refusals: readonly Refusal[]
}

/**
 * Appends raw events to their stream's topic; resolves when all are durable. Events of equal keys share a partition,
 * placed as the Java client would. An event that will be refused is appended too, so that it is kept and counted; one
 * above `eventBytesMax` fits into no record: then the call throws `LOG_RECORD_TOO_LARGE` and nothing of it is appended.
 */
export async function ingest(
  stream: StreamPlan,
  bodies: readonly Uint8Array[],
  { log, clock }: { log: Log; clock: Clock },
): Promise<Ingested[]> {
  // Before anything is appended: a call that is refused leaves nothing behind.
  const large = bodies.find((body) => body.length > eventBytesMax)
  if (large !== undefined) {
    throw new MillraceError('LOG_RECORD_TOO_LARGE', { size: large.length, limit: eventBytesMax })
  }
  const timestampMs = clock.now()
  const partitions = log.topics().find(({ topic }) => topic === stream.topic)!.partitions
  const batches = new Map<number, { index: number; record: RecordInput }[]>()
  const refusals: (readonly Refusal[])[] = []
  for (let index = 0; index < bodies.length; index++) {
    const value = bodies[index]!
    const inspected = inspect(stream, { value, timestampMs })
    const key = 'row' in inspected ? placementOf(stream, inspected.row) : null
    const partition = partitionFor(key ?? value, partitions)
    const batch = batches.get(partition) ?? []
    batches.set(partition, batch)
    batch.push({ index, record: { key, value, timestampMs } })
    refusals.push('refusals' in inspected ? inspected.refusals : [])
  }
  const results = new Array<Ingested>(bodies.length)
  await Promise.all(
    [...batches].map(async ([partition, batch]) => {
      const base = await log.append(
        stream.topic,
        partition,
        batch.map(({ record }) => record),
      )
      batch.forEach(({ index }, nth) => {
        results[index] = { partition, offset: base + nth, refusals: refusals[index]! }
      })
    }),
  )
  return results
}

/** The record's key: the text of the first placement field that has a value; null when none has. */
export function placementOf(stream: StreamPlan, row: Row): Uint8Array | null {
  for (const column of stream.placement) if (row[column] !== null) return Buffer.from(String(row[column]))
  return null
}

/**
 * A flat event of the library as the raw JSON that its stream reads: each value at its field's path. Throws
 * `REQUEST_MALFORMED` for NaN and infinities, which JSON would turn into null, which an optional field takes; for what
 * JSON has no form for; and for two values that belong to one place, of which JSON would keep the later one for both.
 */
export function rawEvent(stream: StreamPlan, event: Readonly<Record<string, unknown>>): Uint8Array {
  const refuse = (detail: string, allowed: string): never => {
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed })
  }
  const raw = new NestedObject()
  for (const [name, value] of Object.entries(event)) {
    if (typeof value === 'number' && !Number.isFinite(value)) {
      const detail = `field "${name}" of an event for stream "${stream.name}" is ${value}`
      refuse(detail, 'Give a finite number, or null for a field that may be without a value.')
    }
    const path = Object.hasOwn(stream.fields, name) ? (stream.fields[name]!.path ?? name) : name
    const other = raw.set(path, { name, value })
    if (other === null) continue
    const detail = `fields "${other}" and "${name}" of an event for stream "${stream.name}" meet at "${path}"`
    refuse(detail, 'Give one of them, or the same value for both: an event has one value at one place.')
  }
  try {
    return Buffer.from(JSON.stringify(raw.root))
  } catch (error) {
    const detail = `an event for stream "${stream.name}" cannot be written as JSON (${messageOf(error)})`
    const allowed = 'Give plain values: no circles, no bigint, no thousands of levels.'
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed }, { cause: error })
  }
}

/** An object that is put together from values at dotted paths. */
class NestedObject {
  // Objects without a prototype: a field named `__proto__` is a field like any other.
  readonly root = Object.create(null) as Record<string, unknown>
  readonly #inner = new Map<string, Record<string, unknown>>()
  readonly #values = new Map<string, { readonly name: string; readonly value: unknown }>()

  /** Puts a named value at a path, or gives the name of the one that is there, above it or below it. */
  set(path: string, one: { readonly name: string; readonly value: unknown }): string | null {
    const there = this.#values.get(path)
    if (there !== undefined) return there.value === one.value ? null : there.name
    const steps = path.split('.')
    let [at, object] = ['', this.root]
    for (const step of steps.slice(0, -1)) {
      at = at === '' ? step : `${at}.${step}`
      const value = this.#values.get(at)
      if (value !== undefined) return value.name
      const inner = this.#inner.get(at) ?? (Object.create(null) as Record<string, unknown>)
      this.#inner.set(at, inner)
      object[step] = inner
      object = inner
    }
    if (this.#inner.has(path)) {
      return [...this.#values].find(([other]) => other.startsWith(`${path}.`))![1].name
    }
    object[steps.at(-1)!] = one.value
    this.#values.set(path, one)
    return null
  }
}
