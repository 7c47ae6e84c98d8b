import { AvroFault, AvroInput } from './avro-input.ts'
import type { AvroType } from './avro-type.ts'

/** A value takes no more items than this, at no more depth, however few bytes they are. */
const [itemsMax, depthMax] = [10_000, 64]

/**
 * A whole value as its writer's schema says, for people to read as JSON: whole numbers beyond 2^53 and decimals are
 * text, bytes are base64. It knows no fields: a value that they refuse can be read all the same. Throws `AvroFault`.
 */
export function readableAvro(type: AvroType, raw: Uint8Array, start: number): unknown {
  const input = new AvroInput()
  input.load(raw, start, raw.length)
  const value = new Reading(input).value(type, 0)
  if (input.left > 0) throw new AvroFault(`${input.left} bytes follow its end`)
  return value
}

class Reading {
  readonly #input: AvroInput
  #items = 0

  constructor(input: AvroInput) {
    this.#input = input
  }

  value(type: AvroType, depth: number): unknown {
    const input = this.#input
    this.#items += 1
    if (depth > depthMax || this.#items > itemsMax) throw new AvroFault('it is too large to be shown', 'DEPTH')
    switch (type.kind) {
      case 'null':
        return null
      case 'boolean':
        return input.boolean()
      case 'int':
      case 'long': {
        const value = input.number()
        return Number.isNaN(value) ? String(input.wide) : value
      }
      case 'float':
        return shown(input.float())
      case 'double':
        return shown(input.double())
      case 'string':
        return this.#bytes(input.length()).toString()
      case 'bytes':
        return scaled(this.#bytes(input.length()), type.logical)
      case 'fixed':
        return scaled(this.#bytes(type.size), type.logical)
      case 'enum': {
        const symbol = type.symbols[input.number()]
        if (symbol === undefined) throw new AvroFault('a symbol is none of the schema')
        return Buffer.from(symbol).toString()
      }
      case 'union': {
        const branch = type.branches[input.number()]
        if (branch === undefined) throw new AvroFault('a branch is none of the schema')
        return this.value(branch, depth + 1)
      }
      case 'record':
        return Object.fromEntries(type.fields.map((field) => [field.name, this.value(field.type, depth + 1)]))
      case 'array':
        return this.#list(() => this.value(type.items, depth + 1))
      case 'map':
        return Object.fromEntries(
          this.#list(() => [this.#bytes(input.length()).toString(), this.value(type.items, depth + 1)] as const),
        )
    }
  }

  #list<Item>(read: () => Item): Item[] {
    const items: Item[] = []
    for (let count = this.#input.block(false); count > 0; count = this.#input.block(false)) {
      for (let nth = 0; nth < count; nth++) items.push(read())
    }
    return items
  }

  #bytes(length: number): Buffer {
    const at = this.#input.take(length)
    return Buffer.from(this.#input.bytes.subarray(at, at + length))
  }
}

/** JSON has no other numbers. */
function shown(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

type Scalable = Extract<AvroType, { kind: 'bytes' | 'fixed' }>['logical']

/** The digits of a decimal; other bytes in base64. */
function scaled(bytes: Buffer, logical: Scalable): string {
  if (logical?.name !== 'decimal' || bytes.length === 0 || bytes.length > decimalBytesMax)
    return bytes.toString('base64')
  const value = BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
  const digits = String(value < 0n ? -value : value).padStart(logical.scale + 1, '0')
  const point = digits.length - logical.scale
  const text = logical.scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`
  return value < 0n ? `-${text}` : text
}

const decimalBytesMax = 64
