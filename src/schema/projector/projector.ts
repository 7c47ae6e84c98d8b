import { isUtf8 } from 'node:buffer'
import { hasWasm, WasmModule } from '../../base/wasm.ts'
import { type Decoded, type EventDecoder, eventBytesMax, makeEventDecoder } from '../decode.ts'
import type { Row, RowValue } from '../decode.ts'
import type { Field, FieldKind, Fields } from '../field.ts'
import { parseInstant } from '../instant.ts'
import { EventText } from './event-text.ts'
import { powersOfTen } from './field-code.ts'
import type { FieldValues } from './field-values.ts'
import { addProjector, type ProjectorPlaces } from './members-code.ts'
import { makePathTree, type PathTree } from './path-tree.ts'
import { scanInstant } from './scan-instant.ts'

/**
 * Reads the declared fields of JSON events straight from their bytes, without an object, and checks the rest on the
 * way. It takes only events that the decoder accepts, and finds the same values in them; what is rare or refused is
 * left to the decoder: escapes in what it reads, members that come twice, exponents, more than fifteen digits.
 */
export class Projector {
  readonly #tree: PathTree
  readonly #fields: readonly Field[]
  readonly #kinds: readonly FieldKind[]
  readonly #instants: readonly Instant[]
  /** Made for the first event: most plans are only looked at. Null: there is no room for it. */
  #compiled: Compiled | null | undefined
  /** The event that it left last. */
  #left: Uint8Array | null = null
  /** How many events it took, and how many it left to the decoder. */
  readonly counts = { projected: 0, left: 0 }

  private constructor(tree: PathTree, fields: readonly Field[]) {
    this.#tree = tree
    this.#fields = fields
    this.#kinds = fields.map(({ kind }) => kind)
    this.#instants = fields.flatMap(({ kind, unit }, index) => (kind === 'timestamp' ? [{ index, unit }] : []))
  }

  /** Null where there is no WebAssembly, and for fields that it cannot read. */
  static of(fields: Fields): Projector | null {
    const tree = makePathTree(fields)
    return tree === null || !hasWasm ? null : new Projector(tree, Object.values(fields))
  }

  /** The values of the event that was projected last, where they stand in `text`. */
  get values(): FieldValues {
    return this.#compiled!.values
  }

  /** The event that was projected last. */
  get text(): EventText {
    return this.#compiled!.text
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
    const { text, values } = this.#compiled!
    const { numbers, starts, ends } = values
    const kind = this.#kinds[index]
    if (kind === 'string') return starts[index]! < 0 ? null : text.slice(starts[index]!, ends[index]!)
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
    if (this.#compiled === undefined) this.#compiled = compile(this.#tree, this.#fields)
    if (this.#compiled === null || raw.length > eventBytesMax) return false
    const { text, run } = this.#compiled
    text.put(raw)
    const outcome = run(raw.length)
    if (outcome < 0 || (outcome === 1 && !isUtf8(raw))) return false
    text.isAscii = outcome === 0
    for (let index = 0; index < this.#instants.length; index++)
      if (!this.#readInstant(this.#instants[index]!)) return false
    return true
  }

  /** From what stands in the event to milliseconds. False: it is left to the decoder. */
  #readInstant({ index, unit }: Instant): boolean {
    const { text, values } = this.#compiled!
    const { numbers, starts, ends } = values
    const start = starts[index]!
    if (start >= 0) {
      if (scanInstant(text.bytes, start, found) !== ends[index]!) return false
      numbers[index] = found[0]!
      return true
    }
    const number = numbers[index]!
    if (number !== number) return true
    const ms = unit === null ? null : parseInstant(number, unit)
    if (ms === null) return false
    numbers[index] = ms
    return true
  }
}

const found = new Float64Array(1)

type Instant = { readonly index: number; readonly unit: Field['unit'] }

type Compiled = {
  readonly text: EventText
  readonly values: FieldValues
  /** Of the event of so many bytes in `text`: see `addProjector`. */
  readonly run: (length: number) => number
}

function compile(tree: PathTree, fields: readonly Field[]): Compiled | null {
  const names = namesOf(tree)
  const { places, size } = layOut(fields.length, names)
  const module = new WasmModule()
  const made = module.instantiate(size, addProjector(module, { tree, fields }, places))
  if (made === null) return null
  const { memory, run } = made
  new Float64Array(memory, places.powers, powersOfTen.length).set(powersOfTen)
  for (const [number, name] of names.entries()) new Uint8Array(memory).set(name, places.names[number])
  const values = {
    numbers: new Float64Array(memory, places.numbers, fields.length),
    starts: new Int32Array(memory, places.starts, fields.length),
    ends: new Int32Array(memory, places.ends, fields.length),
  }
  return { text: new EventText({ memory, at: places.text }), values, run: run as (length: number) => number }
}

/** By number. */
function namesOf({ members }: Pick<PathTree, 'members'>, into: Uint8Array[] = []): Uint8Array[] {
  for (const member of members) {
    into[member.number] = member.name
    namesOf(member, into)
  }
  return into
}

/** One after the other; the text is last, with room for the longest event and what is read behind it. */
function layOut(fields: number, names: readonly Uint8Array[]): { places: ProjectorPlaces; size: number } {
  let size = 0
  const take = (bytes: number): number => {
    const at = size
    size += Math.ceil(bytes / 16) * 16
    return at
  }
  const places = {
    powers: take(8 * powersOfTen.length),
    numbers: take(8 * fields),
    starts: take(4 * fields),
    ends: take(4 * fields),
    names: names.map(({ length }) => take(length)),
    text: take(0),
  }
  return { places, size: places.text + eventBytesMax + 64 }
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
