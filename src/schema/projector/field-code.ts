import { type Code, f64, give, i32, type Variable, when } from '../../base/wasm.ts'
import type { Field } from '../field.ts'
import { digitsMax, isStop, type JsonCode, next, quote, stop } from './json-code.ts'

/** Where in memory the values of an event lie, by field: see `FieldValues`. */
export type FieldPlaces = {
  readonly numbers: number
  readonly starts: number
  readonly ends: number
  /** One, ten, a hundred, and so on, as doubles. */
  readonly powers: number
}

export const powersOfTen: readonly number[] = Array.from({ length: digitsMax + 1 }, (_, power) => Number(`1e${power}`))

/** The decoder takes any number up to here for the decimal it is nearest to; beyond it looks at the digits. */
const scaledMax = 1e15

/**
 * Code that reads the value of a field, at its first byte, into its place and moves behind it. Gives `stop` for what
 * the field does not allow, or what is written in a way that is left to the decoder. What is read is what the decoder
 * reads, but for instants: see `scanInstants`.
 */
export function fieldCode(
  { field, index }: { readonly field: Field; readonly index: number },
  at: Variable,
  parts: { readonly json: JsonCode; readonly places: FieldPlaces },
): Code {
  const { json, places } = parts
  const read = valueCode(field, index, { at, ...parts })
  const isOver = when(isStop(at), give(stop))
  if (field.presence === 'required') return [read, isOver]
  const isNull = i32.eq(json.byte(at.get), i32.const(0x6e))
  return [when(isNull, [nullCode(places, index), at.set(json.skipNull.call(at.get))], read), isOver]
}

export function nullCode(places: FieldPlaces, index: number): Code {
  return [numberCode(places, index, f64.const(Number.NaN)), spanCode(places, index, [stop, stop])]
}

type Parts = { readonly at: Variable; readonly json: JsonCode; readonly places: FieldPlaces }

function valueCode({ kind, scale }: Field, index: number, { at, json, places }: Parts): Code {
  const { byte, digits, fraction, scanNumber } = json
  const number = [at.set(scanNumber.call(at.get)), when(isStop(at), give(stop))]
  const power = (exponent: Code): Code => f64.load(i32.shl(exponent, i32.const(3)), places.powers)
  // Both are exact, so that their quotient is the number nearest to what is written.
  const quotient = f64.div(digits.get, power(fraction.get))
  const text = [
    when(i32.ne(byte(at.get), i32.const(quote)), give(stop)),
    next(at),
    i32.store(i32.const(0), at.get, places.starts + 4 * index),
    at.set(json.plainTextEnd.call(at.get)),
    when(isStop(at), give(stop)),
    i32.store(i32.const(0), at.get, places.ends + 4 * index),
    next(at),
  ]
  // Adding zero makes 0 of -0.
  const store = (value: Code): Code => numberCode(places, index, f64.add(value, f64.const(0)))
  const isQuoted = i32.eq(byte(at.get), i32.const(quote))
  switch (kind) {
    case 'string':
      return text
    case 'boolean': {
      const isTrue = i32.eq(byte(at.get), i32.const(0x74))
      const word = (value: number, skip: JsonCode['skipTrue']): Code => [
        numberCode(places, index, f64.const(value)),
        at.set(skip.call(at.get)),
      ]
      return when(isTrue, word(1, json.skipTrue), word(0, json.skipFalse))
    }
    case 'int':
      return [number, when(fraction.get, give(stop)), store(digits.get)]
    case 'float':
      return [number, store(quotient)]
    case 'decimal': {
      const scaled = f64.mul(digits.get, power(i32.sub(i32.const(scale ?? 0), fraction.get)))
      const decimal = [
        number,
        when(i32.gt(fraction.get, i32.const(scale ?? 0)), give(stop)),
        when(f64.gt(f64.abs(scaled), f64.const(scaledMax)), give(stop)),
        store(scaled),
      ]
      const closing = [when(i32.ne(byte(at.get), i32.const(quote)), give(stop)), next(at)]
      return when(isQuoted, [next(at), decimal, closing], decimal)
    }
    case 'timestamp':
      return when(isQuoted, text, [number, spanCode(places, index, [stop, stop]), store(quotient)])
  }
}

function numberCode(places: FieldPlaces, index: number, value: Code): Code {
  return f64.store(i32.const(0), value, places.numbers + 8 * index)
}

function spanCode(places: FieldPlaces, index: number, [start, end]: readonly [Code, Code]): Code {
  return [
    i32.store(i32.const(0), start, places.starts + 4 * index),
    i32.store(i32.const(0), end, places.ends + 4 * index),
  ]
}
