import { MillraceError, messageOf } from '../base/faults.ts'
import type { StreamPlan } from '../plan/plan.ts'

/**
 * A flat event of the library as the raw JSON that its stream reads: each value at its field's path. Throws
 * `REQUEST_MALFORMED` for NaN and infinities, which JSON would turn into null, which an optional field takes; for what
 * JSON has no form for; and for two values that belong to one place, of which JSON would keep the later one for both.
 */
export function rawEvent(stream: StreamPlan, event: Readonly<Record<string, unknown>>): Uint8Array {
  const refuse = (detail: string, allowed: string): never => {
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed })
  }
  if (stream.format.isBare) {
    refuse(`stream "${stream.name}" takes bare Avro, which nothing tells from JSON`, 'Give its bytes to ingest().')
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
