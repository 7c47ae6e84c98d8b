import { generate } from '../../base/generate.ts'
import { type Decoded, type EventDecoder, eventBytesMax, makeEventDecoder } from '../decode.ts'
import type { Row, RowValue } from '../decode.ts'
import type { FieldKind, Fields } from '../field.ts'
import { EventText } from './event-text.ts'
import { projectorSource } from './generate-projector.ts'
import { makePathTree } from './path-tree.ts'
import { type FieldScanner, type FieldValues, makeFieldScanner, makeFieldValues, setNull } from './scan-field.ts'
import { brace, skipBlanks, skipNull, skipValue } from './scan.ts'

/**
 * Reads the declared fields of JSON events straight from their bytes, without an object, and checks the rest on the
 * way. It takes only events that the decoder accepts, and finds the same values in them; what is rare or refused is
 * left to the decoder: escapes in what it reads, members that come twice, exponents, more than fifteen digits.
 */
export class Projector {
  readonly #text = new EventText()
  readonly #values: FieldValues
  readonly #kinds: readonly FieldKind[]
  readonly #members: MembersScanner
  /** The event that it left last. */
  #left: Uint8Array | null = null
  /** How many events it took, and how many it left to the decoder. */
  readonly counts = { projected: 0, left: 0 }

  private constructor(fields: Fields, values: FieldValues, members: MembersScanner) {
    this.#kinds = Object.values(fields).map(({ kind }) => kind)
    this.#values = values
    this.#members = members
  }

  /** Null where code generation is off, and for fields that it cannot read. */
  static of(fields: Fields): Projector | null {
    const tree = makePathTree(fields)
    if (tree === null) return null
    const values = makeFieldValues(Object.keys(fields).length)
    const { source, names } = projectorSource(tree, Object.values(fields))
    const scanners = Object.values(fields).map((field, index) => makeFieldScanner(field, index, values))
    const make = generate<(tools: typeof scanTools, parts: ProjectorParts) => MembersScanner>(
      ['tools', 'parts'],
      source,
    )
    return make === null ? null : new Projector(fields, values, make(scanTools, { names, scanners, values }))
  }

  /** The values of the event that was projected last, where they stand in `text`. */
  get values(): FieldValues {
    return this.#values
  }

  /** The event that was projected last. */
  get text(): EventText {
    return this.#text
  }

  /** False: it is the decoder's. */
  project(raw: Uint8Array): boolean {
    // Whoever leaves an event to the decoder asks again by way of it.
    if (raw === this.#left) return false
    if (this.#scan(raw)) {
      this.counts.projected += 1
      return true
    }
    this.counts.left += 1
    this.#left = raw
    return false
  }

  /** A value of the event that was projected last. */
  value(index: number): RowValue {
    const { numbers, starts, ends } = this.#values
    const kind = this.#kinds[index]
    if (kind === 'string') return starts[index]! < 0 ? null : this.#text.slice(starts[index]!, ends[index]!)
    const number = numbers[index]!
    if (number !== number) return null
    return kind === 'boolean' ? number === 1 : number
  }

  row(): Row {
    const row: RowValue[] = []
    for (let index = 0; index < this.#kinds.length; index++) row.push(this.value(index))
    return row
  }

  #scan(raw: Uint8Array): boolean {
    if (raw.length > eventBytesMax || !this.#text.load(raw)) return false
    const { bytes, length } = this.#text
    const start = skipBlanks(bytes, 0)
    if (bytes[start] !== brace) return false
    const end = this.#members(bytes, start + 1)
    return end >= 0 && skipBlanks(bytes, end) === length
  }
}

/**
 * Steps from behind the opening brace of an event to behind its closing one and fills in the values of its fields;
 * `stop` also when a field is missing that has to be there.
 */
export type MembersScanner = (bytes: Uint8Array, at: number) => number

/** What generated code calls. */
export const scanTools = { skipBlanks, skipNull, skipValue, setNull, isSame }

export type ProjectorParts = {
  /** Of the members, by number. */
  readonly names: readonly Uint8Array[]
  /** By field. */
  readonly scanners: readonly FieldScanner[]
  readonly values: FieldValues
}

/** Whether the bytes from a position on are a name; as many as it has, which the caller knows. */
function isSame(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let index = 0; index < name.length; index++) if (bytes[at + index] !== name[index]) return false
  return true
}

/** The decoder of events, with a projector in front. Gives what `makeEventDecoder` gives, sooner. */
export function makeProjectingDecoder(
  fields: Fields,
  projector: Projector | null = Projector.of(fields),
): EventDecoder {
  const decode = makeEventDecoder(fields)
  if (projector === null) return decode
  return (raw): Decoded => (projector.project(raw) ? { row: projector.row() } : decode(raw))
}
