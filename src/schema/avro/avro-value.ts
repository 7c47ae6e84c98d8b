import { isUtf8 } from 'node:buffer'
import { floatMagnitudeMax, makeValueParser } from '../decode.ts'
import type { Field } from '../field.ts'
import { instantMsEnd } from '../instant.ts'
import type { AvroInput } from './avro-input.ts'
import type { AvroSink } from './avro-sink.ts'
import { type AvroType, nameOfAvroType, variableDecimal } from './avro-type.ts'
import { unscaledNumber } from './unscaled.ts'

export type AvroStep = (input: AvroInput, sink: AvroSink) => void

/**
 * What reads a value of a type into a field: as Avro resolves a writer's schema with a reader's, which is made of the
 * fields, and by the logical types of both. Null: the field takes nothing of this type.
 */
export function makeAvroValue(type: AvroType, target: number, field: Field): AvroStep | null {
  switch (field.kind) {
    case 'string':
      return textValue(type, target)
    case 'boolean':
      return type.kind === 'boolean' ? (input, sink) => sink.setNumber(target, input.boolean() ? 1 : 0) : null
    case 'int':
      return isWhole(type) ? wholeValue(target) : null
    case 'float':
      return floatValue(type, target)
    case 'decimal':
      return decimalValue(type, target, field)
    case 'timestamp':
      return instantValue(type, target, field)
  }
}

function isWhole({ kind }: AvroType): boolean {
  return kind === 'int' || kind === 'long'
}

function wholeValue(target: number): AvroStep {
  return (input, sink) => {
    const value = input.number()
    if (value === value) sink.setNumber(target, value)
    else sink.refuse(target, { code: 'RANGE', came: String(input.wide) })
  }
}

function textValue(type: AvroType, target: number): AvroStep | null {
  switch (type.kind) {
    case 'string':
      return plainText(target)
    case 'bytes':
      // Avro promotes bytes to text; a number in bytes is none.
      return type.logical === null ? plainText(target) : null
    case 'enum': {
      const { symbols } = type
      return (input, sink) => {
        const index = input.number()
        const symbol = symbols[index]
        if (symbol === undefined) sink.refuse(target, { code: 'RANGE', came: `symbol ${index} of ${symbols.length}` })
        else sink.addText(target, symbol)
      }
    }
    case 'fixed':
      return type.size === 16 && type.logical?.name === 'uuid' ? uuidText(target) : null
    default:
      return null
  }
}

function plainText(target: number): AvroStep {
  return (input, sink) => {
    const length = input.length()
    const start = input.take(length)
    const end = start + length
    const { bytes } = input
    let high = 0
    for (let at = start; at < end; at++) high |= bytes[at]!
    if (high >= 0x80 && !isUtf8(bytes.subarray(start, end))) {
      sink.refuse(target, { code: 'ENCODING', came: 'bytes that are not UTF-8' })
    } else sink.setText(target, start, end)
  }
}

function uuidText(target: number): AvroStep {
  return (input, sink) => {
    const at = input.take(16)
    const hex = Buffer.from(input.bytes.subarray(at, at + 16)).toString('hex')
    sink.addText(target, Buffer.from(hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')))
  }
}

function floatValue(type: AvroType, target: number): AvroStep | null {
  const read = numberReader(type)
  if (read === null) return null
  return (input, sink) => {
    const value = read(input)
    if (Math.abs(value) <= floatMagnitudeMax) sink.setNumber(target, value + 0)
    else sink.refuse(target, { code: 'RANGE', came: String(value) })
  }
}

/** As a double: Avro promotes every number to one. */
function numberReader({ kind }: AvroType): ((input: AvroInput) => number) | null {
  switch (kind) {
    case 'int':
    case 'long':
      return (input) => {
        const value = input.number()
        return value === value ? value : Number(input.wide)
      }
    case 'float':
      return (input) => input.float()
    case 'double':
      return (input) => input.double()
    default:
      return null
  }
}

function decimalValue(type: AvroType, target: number, field: Field): AvroStep | null {
  const parse = makeValueParser(field)
  const scale = field.scale ?? 0
  if ((type.kind === 'bytes' || type.kind === 'fixed') && type.logical?.name === 'decimal') {
    const { scale: written } = type.logical
    const size = type.kind === 'fixed' ? type.size : null
    return (input, sink) => {
      const length = size ?? input.length()
      const at = input.take(length)
      setUnscaled(sink, target, unscaledNumber(input.bytes.subarray(at, at + length), written, scale))
    }
  }
  if (type.kind === 'record' && type.name === variableDecimal) {
    return (input, sink) => {
      const written = input.int()
      const length = input.length()
      const at = input.take(length)
      setUnscaled(sink, target, unscaledNumber(input.bytes.subarray(at, at + length), written, scale))
    }
  }
  if (isWhole(type)) {
    const factor = 10 ** scale
    return (input, sink) => {
      const value = input.number() * factor
      if (Number.isSafeInteger(value)) sink.setNumber(target, value)
      else sink.refuse(target, { code: 'RANGE', came: 'a number with more digits' })
    }
  }
  return numberValue(type, target, parse) ?? parsedText(type, target, parse)
}

function setUnscaled(sink: AvroSink, target: number, value: number | 'RANGE' | 'SCALE'): void {
  if (typeof value === 'number') sink.setNumber(target, value)
  else sink.refuse(target, { code: value, came: 'a decimal with more digits' })
}

type Parse = ReturnType<typeof makeValueParser>

function numberValue(type: AvroType, target: number, parse: Parse): AvroStep | null {
  const read = numberReader(type)
  if (read === null) return null
  return (input, sink) => {
    const value = read(input)
    sink.setParsed(target, parse(value), value)
  }
}

function parsedText({ kind }: AvroType, target: number, parse: Parse): AvroStep | null {
  if (kind !== 'string') return null
  return (input, sink) => {
    const length = input.length()
    const at = input.take(length)
    const text = Buffer.from(input.bytes.subarray(at, at + length)).toString()
    sink.setParsed(target, parse(text), text)
  }
}

const dayMs = 86_400_000

function instantValue(type: AvroType, target: number, field: Field): AvroStep | null {
  const parse = makeValueParser(field)
  const logical = type.kind === 'int' || type.kind === 'long' ? type.logical : null
  const setMs = (sink: AvroSink, ms: number): void => {
    // A date or an instant of millions of years is none; NaN is neither.
    if (ms >= 0 && ms < instantMsEnd) sink.setNumber(target, ms)
    else sink.refuse(target, { code: 'TIME', came: `${ms} ms` })
  }
  switch (logical?.name) {
    case 'date':
      return (input, sink) => setMs(sink, input.number() * dayMs)
    case 'timestamp-millis':
      return (input, sink) => setMs(sink, input.number())
    case 'timestamp-micros':
      return (input, sink) => setMs(sink, Math.floor(input.number() / 1_000))
    case 'timestamp-nanos':
      return (input, sink) => {
        const value = input.number()
        const nanos = value === value ? BigInt(value) : input.wide
        setMs(sink, nanos < 0n ? -1 : Number(nanos / 1_000_000n))
      }
    case 'local':
      // What hour it was without saying where.
      return null
    default:
  }
  if (field.unit !== null) {
    const number = numberValue(type, target, parse)
    if (number !== null) return number
  }
  return parsedText(type, target, parse)
}

/** For a refusal of every value of a type. */
export function cameOf(type: AvroType): string {
  return nameOfAvroType(type)
}
