import { murmur2 } from '../../base/murmur2.ts'
import type { Replacement } from '../../log/embedded/rewrite.ts'
import type { Header, LogRecord } from '../../log/log.ts'
import { encodeErasure, type Erasure, erasureHeader, readErasure } from '../../plan/erasure.ts'
import { type Forgotten, forgottenKey, type RecordPlace } from '../../plan/forgotten.ts'
import { historyMark } from '../../plan/intake.ts'
import { standInHeader } from '../../plan/open-rejections.ts'
import type { ErasedKey } from '../../plan/plan.ts'
import { makeValueParser } from '../../schema/decode.ts'
import type { Field } from '../../schema/field.ts'
import { encodeKey } from '../../schema/key-codec.ts'
import { outputHeaders } from '../../stream/output-headers.ts'
import { importHeader } from '../history-topic.ts'
import { letterHeader } from '../replays.ts'
import { keepDeclared, parseLoosely, replaceAt, valueAt } from './declared-parts.ts'
import type { KeyPlace, TopicReaders } from './event-readers.ts'
import { type KeyHash, pseudonymOf } from './pseudonym.ts'

type FoundKey = { readonly key: KeyPlace; readonly hash: KeyHash }
type JoinValue = string | number | boolean

/** What becomes of a record: something takes its place, nothing has to, or nobody can tell whom it is about. */
export type Erased = Replacement | 'nothing' | 'unsearchable'

/** Finds the raw events of forgotten entities, and makes what takes their place. */
export class EventEraser {
  readonly #forgotten: Forgotten
  readonly #topics: ReadonlyMap<string, TopicReaders>
  /** Entity and path of keys that were found and stay, and why. */
  readonly kept = new Map<string, string>()

  constructor(forgotten: Forgotten, topics: ReadonlyMap<string, TopicReaders>) {
    this.#forgotten = forgotten
    this.#topics = topics
  }

  /** @param place of the event in its source topic: a rejected one lies elsewhere, too. */
  erase(record: LogRecord, place: RecordPlace): Erased {
    const { value } = record
    if (value === null || place.offset >= this.#forgotten.reachOf(place.topic, place.partition)) return 'nothing'
    const topic = this.#topics.get(place.topic)
    if (topic === undefined) return 'unsearchable'
    const { found, decodes } = this.#find(value, place, topic)
    const object = parseLoosely(value)
    // Only what is JSON can be written again without what it must not say.
    if (object === null) return 'unsearchable'
    const before = readErasure(record.headers)
    const erasure = addTo(before, found, value)
    if (erasure === null) return 'nothing'
    const headers: Header[] = [...keptHeaders(record.headers), [erasureHeader, encodeErasure(erasure)]]
    // Refused by every stream, so that no value comes of it: nothing of it is of use, and as nothing it is refused again.
    if (!decodes) return { key: null, value: null, headers }
    const kept = keepDeclared(object, topic.parts)
    const hidden = new Set<string>()
    for (const one of found) this.#hide(kept, one, { names: namesOf(erasure), topic, hidden })
    return { key: null, value: Buffer.from(JSON.stringify(kept)), headers }
  }

  /** The forgotten keys of an event; and whether any stream can read it. Shorter keys come first. */
  #find(
    value: Uint8Array,
    place: RecordPlace,
    { readers }: TopicReaders,
  ): { readonly found: readonly FoundKey[]; readonly decodes: boolean } {
    const found = new Map<string, FoundKey>()
    let decodes = false
    for (const { stream, keys } of readers) {
      const decoded = stream.format.decode(value)
      if ('row' in decoded) decodes = true
      const object = 'row' in decoded ? null : parseLoosely(value)
      for (const key of keys) {
        const values =
          'row' in decoded
            ? key.columns.map((column) => decoded.row[column]!)
            : key.paths.map((path, index) =>
                readLoosely(key.fields[index]!, object === null ? null : valueAt(object, path)),
              )
        if (values.includes(null)) continue
        const kinds = key.fields.map(({ kind }) => kind)
        const bytes = encodeKey(kinds, values as JoinValue[])
        if (!this.#forgotten.covers(key.entity, bytes, place)) continue
        const name = nameOf(key)
        if (!found.has(name)) found.set(name, { key, hash: forgottenKey(bytes) })
      }
    }
    return { found: [...found.values()].sort((a, b) => a.key.paths.length - b.key.paths.length), decodes }
  }

  #hide(event: Record<string, unknown>, { key, hash }: FoundKey, { names, topic, hidden }: HideContext): void {
    key.paths.forEach((path, index) => {
      const field = key.fields[index]!
      const old = valueAt(event, path)
      const pseudonym = pseudonymOf(field, hash, old)
      const why = pseudonym === null ? `it is a ${field.kind}` : reasonToStay(path, key, { names, topic })
      if (why !== null) this.kept.set(`${path} of ${key.entity}`, why)
      else if (!hidden.has(path)) replaceAt(event, path, pseudonym)
      hidden.add(path)
    })
  }
}

type Context = {
  /** Of the keys that are erased. */
  readonly names: ReadonlySet<string>
  readonly topic: TopicReaders
}

type HideContext = Context & { readonly hidden: Set<string> }

function reasonToStay(path: string, { paths, entity }: KeyPlace, { names, topic }: Context): string | null {
  if (topic.fixed.has(path)) return 'it is the id or the time of the event, which verdicts depend on'
  // Forgetting a pair is not forgetting its halves: what they have of the event must stay.
  const part = topic.readers
    .flatMap(({ keys }) => keys)
    .find(
      (other) =>
        other.applied &&
        other.paths.includes(path) &&
        other.paths.length < paths.length &&
        other.paths.every((one) => paths.includes(one)) &&
        !names.has(nameOf(other)),
    )
  return part === undefined || part.entity === entity ? null : `it is a key of ${part.entity}, which is not forgotten`
}

function nameOf({ entity, paths }: ErasedKey): string {
  return JSON.stringify([entity, paths])
}

function namesOf({ keys }: Erasure): ReadonlySet<string> {
  return new Set(keys.map(nameOf))
}

/** Null when it says all of that already. */
function addTo(before: Erasure | null, found: readonly FoundKey[], value: Uint8Array): Erasure | null {
  const known = before?.keys ?? []
  const names = new Set(known.map(nameOf))
  const added = found.filter(({ key }) => !names.has(nameOf(key)))
  if (added.length === 0) return null
  const keys = [...known, ...added.map(({ key: { entity, paths } }) => ({ entity, paths }))]
  return { keys, hash: before?.hash ?? murmur2(value) }
}

/** What millrace itself set, and goes by. What a sender set may say anything. */
const ownHeaders = new Set<string>([
  standInHeader,
  letterHeader,
  historyMark,
  importHeader,
  ...Object.values(outputHeaders),
])

export function keptHeaders(headers: readonly Header[]): Header[] {
  return headers.filter(([name]) => ownHeaders.has(name))
}

/** A join key of an event that a stream refuses, even where it has another type than declared; null without one. */
function readLoosely(field: Field, value: unknown): JoinValue | null {
  const parse = makeValueParser(field)
  for (const candidate of [value, otherType(field, value)]) {
    if (candidate === undefined || candidate === null) continue
    const parsed = parse(candidate)
    if (typeof parsed !== 'object') return parsed
  }
  return null
}

function otherType({ kind }: Field, value: unknown): unknown {
  if (kind === 'string') return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
  if (typeof value !== 'string' || value.trim() === '') return null
  return kind === 'boolean' ? { true: true, false: false }[value.trim()] : Number(value)
}
