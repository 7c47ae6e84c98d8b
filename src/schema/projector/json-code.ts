import {
  block,
  branch,
  type Code,
  give,
  i32,
  i64,
  f64,
  loop,
  v128,
  type ValueType,
  type Variable,
  type WasmFunction,
  type WasmModule,
  when,
} from '../../base/wasm.ts'

/** What a function gives in place of a position: the text is no JSON there, or goes on in a way that is left. */
export const stop: Code = i32.const(-1)

export const quote = 0x22
export const minus = 0x2d
export const point = 0x2e
export const backslash = 0x5c
export const brace = 0x7b

/** So many digits are exact in a double, whatever they are. */
export const digitsMax = 15

/**
 * Functions that step over JSON text, as bytes that end with a zero. Each starts at a position and gives the one behind
 * what it stepped over, or `stop`.
 */
export type JsonCode = {
  /** To the first byte that is none of JSON's blanks. */
  readonly skipBlanks: WasmFunction
  /** A text without escapes, from behind its opening quote to its closing one. */
  readonly plainTextEnd: WasmFunction
  readonly skipTrue: WasmFunction
  readonly skipFalse: WasmFunction
  readonly skipNull: WasmFunction
  /** Any value, at its first byte; then how many more levels may open here. */
  readonly skipValue: WasmFunction
  /**
   * A number of JSON's grammar with at most fifteen digits and no exponent, into `digits` and `fraction`. With text
   * around it, a decimal's grammar differs only in what is left out here.
   */
  readonly scanNumber: WasmFunction
  /** All digits as an integer with its sign. */
  readonly digits: Variable
  /** How many of them came after the point. */
  readonly fraction: Variable
  /** The byte at a position. */
  readonly byte: (at: Code) => Code
  /** Moves a position behind blanks; cheap where there are none. */
  readonly passBlanks: (at: Variable) => Code
}

/** @param text where the text begins in memory: positions are counted from there. */
export function addJsonCode(module: WasmModule, text: number): JsonCode {
  const names = ['skipBlanks', 'plainTextEnd', 'skipTrue', 'skipFalse', 'skipNull', 'scanNumber'] as const
  const own = Object.fromEntries(names.map((name) => [name, module.declare(1)])) as Record<
    (typeof names)[number],
    WasmFunction
  >
  const byte = (at: Code): Code => i32.load8(at, text)
  const code: JsonCode = {
    ...own,
    skipValue: module.declare(2),
    digits: module.global('f64'),
    fraction: module.global('i32'),
    byte,
    passBlanks: (at) => when(i32.leU(byte(at.get), i32.const(0x20)), at.set(own.skipBlanks.call(at.get))),
  }
  defineBlanks(module, code)
  defineWords(module, code, text)
  defineNumber(module, code)
  const skipText = defineTexts(module, code, text)
  defineValue(module, code, { skipText, skipNumber: defineSkipNumber(module, code) })
  return code
}

const is = (value: Code, sign: number): Code => i32.eq(value, i32.const(sign))
const isNot = (value: Code, sign: number): Code => i32.ne(value, i32.const(sign))
export const next = (at: Variable, by = 1): Code => at.set(i32.add(at.get, i32.const(by)))
export const isStop = (at: Variable): Code => i32.lt(at.get, i32.const(0))

function defineBlanks(module: WasmModule, { skipBlanks, byte }: JsonCode): void {
  module.define(skipBlanks, ([at], local) => {
    const found = local('i32')
    const blanks = [0x20, 0x0a, 0x0d, 0x09].map((blank) => isNot(found.get, blank))
    return loop((again) => [
      found.set(byte(at!.get)),
      when(
        blanks.reduce((all, one) => i32.and(all, one)),
        give(at!.get),
      ),
      next(at!),
      branch(again),
    ])
  })
}

/** Four letters at once. */
function defineWords(module: WasmModule, { skipTrue, skipFalse, skipNull, byte }: JsonCode, text: number): void {
  const letters = (word: string): Code => i32.const(Buffer.from(word).readInt32LE(0))
  for (const [skip, word] of [
    [skipTrue, 'true'],
    [skipNull, 'null'],
  ] as const) {
    module.define(skip, ([at]) => [
      when(i32.eq(i32.load(at!.get, text), letters(word)), give(i32.add(at!.get, i32.const(4)))),
      give(stop),
    ])
  }
  module.define(skipFalse, ([at]) => [
    when(
      i32.and(i32.eq(i32.load(at!.get, text), letters('fals')), is(byte(i32.add(at!.get, i32.const(4))), 0x65)),
      give(i32.add(at!.get, i32.const(5))),
    ),
    give(stop),
  ])
}

/** Moves to the first byte that a plain text does not go over: a quote, a backslash, or what no text may hold. */
export function passPlain(at: Variable, text: number, local: (type: ValueType) => Variable): Code {
  const [bytes, bits] = [local('v128'), local('i32')]
  const ends = [
    v128.eq(bytes.get, v128.splat(quote)),
    v128.eq(bytes.get, v128.splat(backslash)),
    v128.ltU(bytes.get, v128.splat(0x20)),
  ].reduce((all, one) => v128.or(all, one))
  return [
    block((found) =>
      loop((again) => [
        bytes.set(v128.load(at.get, text)),
        bits.set(v128.bitmask(ends)),
        branch(found, bits.get),
        next(at, 16),
        branch(again),
      ]),
    ),
    at.set(i32.add(at.get, i32.ctz(bits.get))),
  ]
}

/** Gives the function for a text of any kind, from behind its opening quote to behind its closing one. */
function defineTexts(module: WasmModule, { plainTextEnd, byte }: JsonCode, text: number): WasmFunction {
  const [skipText, skipEscape] = [module.declare(1), module.declare(1)]
  module.define(plainTextEnd, ([at], local) => [
    passPlain(at!, text, local),
    when(is(byte(at!.get), quote), give(at!.get)),
    give(stop),
  ])
  module.define(skipText, ([at], local) => {
    return loop((again) => [
      passPlain(at!, text, local),
      when(is(byte(at!.get), quote), give(i32.add(at!.get, i32.const(1)))),
      when(isNot(byte(at!.get), backslash), give(stop)),
      at!.set(skipEscape.call(i32.add(at!.get, i32.const(1)))),
      when(isStop(at!), give(stop)),
      branch(again),
    ])
  })
  // From behind the backslash. Any four digits after a `u` are good: a lone surrogate is JSON too.
  module.define(skipEscape, ([at], local) => {
    const [found, end] = [local('i32'), local('i32')]
    const simple = Array.from('"\\/bfnrt', (sign) => is(found.get, sign.charCodeAt(0)))
    const isDigit = i32.ltU(i32.sub(found.get, i32.const(0x30)), i32.const(10))
    const isLetter = i32.ltU(i32.sub(i32.or(found.get, i32.const(0x20)), i32.const(0x61)), i32.const(6))
    return [
      found.set(byte(at!.get)),
      next(at!),
      when(
        simple.reduce((any, one) => i32.or(any, one)),
        give(at!.get),
      ),
      when(isNot(found.get, 0x75), give(stop)),
      end.set(i32.add(at!.get, i32.const(4))),
      loop((again) => [
        found.set(byte(at!.get)),
        when(i32.eqz(i32.or(isDigit, isLetter)), give(stop)),
        next(at!),
        branch(again, i32.lt(at!.get, end.get)),
      ]),
      give(at!.get),
    ]
  })
  return skipText
}

/** Gives the function for any number of JSON's grammar. */
function defineSkipNumber(module: WasmModule, { byte }: JsonCode): WasmFunction {
  const [skipNumber, skipDigits] = [module.declare(1), module.declare(1)]
  module.define(skipDigits, ([at]) => [
    block((end) =>
      loop((again) => [
        branch(end, i32.gtU(i32.xor(byte(at!.get), i32.const(0x30)), i32.const(9))),
        next(at!),
        branch(again),
      ]),
    ),
    give(at!.get),
  ])
  module.define(skipNumber, ([at], local) => {
    const start = local('i32')
    const someDigits = [
      start.set(at!.get),
      at!.set(skipDigits.call(at!.get)),
      when(i32.eq(at!.get, start.get), give(stop)),
    ]
    const isSign = i32.or(is(byte(at!.get), 0x2b), is(byte(at!.get), minus))
    return [
      when(is(byte(at!.get), minus), next(at!)),
      when(is(byte(at!.get), 0x30), next(at!), someDigits),
      when(is(byte(at!.get), point), [next(at!), someDigits]),
      when(is(i32.or(byte(at!.get), i32.const(0x20)), 0x65), [next(at!), when(isSign, next(at!)), someDigits]),
      give(at!.get),
    ]
  })
  return skipNumber
}

function defineNumber(module: WasmModule, { scanNumber, byte, digits, fraction }: JsonCode): void {
  module.define(scanNumber, ([at], local) => {
    const [first, count, digit, isNegative] = [local('i32'), local('i32'), local('i32'), local('i32')]
    const value = local('i64')
    /** Adds digits to `value`; stops after one too many. */
    const takeDigits = block((end) =>
      loop((again) => [
        digit.set(i32.xor(byte(at!.get), i32.const(0x30))),
        branch(end, i32.gtU(digit.get, i32.const(9))),
        value.set(i64.add(i64.mul(value.get, i64.const(10n)), i64.fromI32(digit.get))),
        next(at!),
        branch(again, i32.leU(i32.sub(at!.get, first.get), i32.const(digitsMax + 1))),
      ]),
    )
    return [
      isNegative.set(is(byte(at!.get), minus)),
      at!.set(i32.add(at!.get, isNegative.get)),
      first.set(at!.get),
      takeDigits,
      count.set(i32.sub(at!.get, first.get)),
      when(i32.gtU(i32.sub(count.get, i32.const(1)), i32.const(digitsMax - 1)), give(stop)),
      when(i32.and(i32.gtU(count.get, i32.const(1)), is(byte(first.get), 0x30)), give(stop)),
      fraction.set(i32.const(0)),
      when(is(byte(at!.get), point), [
        next(at!),
        takeDigits,
        // The point stands between them.
        fraction.set(i32.sub(i32.sub(at!.get, first.get), i32.add(count.get, i32.const(1)))),
        when(i32.eqz(fraction.get), give(stop)),
        when(i32.gtU(i32.add(count.get, fraction.get), i32.const(digitsMax)), give(stop)),
      ]),
      when(is(i32.or(byte(at!.get), i32.const(0x20)), 0x65), give(stop)),
      digits.set(f64.fromI64(value.get)),
      when(isNegative.get, digits.set(f64.neg(digits.get))),
      give(at!.get),
    ]
  })
}

function defineValue(
  module: WasmModule,
  { skipValue, skipTrue, skipFalse, skipNull, byte, passBlanks }: JsonCode,
  { skipText, skipNumber }: { readonly skipText: WasmFunction; readonly skipNumber: WasmFunction },
): void {
  const [skipObject, skipArray] = [module.declare(2), module.declare(2)]
  module.define(skipValue, ([at, deeper], local) => {
    const first = local('i32')
    const behind = i32.add(at!.get, i32.const(1))
    const inside = (skip: WasmFunction): Code => [
      when(i32.eqz(deeper!.get), give(stop)),
      give(skip.call(behind, i32.sub(deeper!.get, i32.const(1)))),
    ]
    return [
      first.set(byte(at!.get)),
      when(is(first.get, quote), give(skipText.call(behind))),
      when(is(first.get, 0x74), give(skipTrue.call(at!.get))),
      when(is(first.get, 0x66), give(skipFalse.call(at!.get))),
      when(is(first.get, 0x6e), give(skipNull.call(at!.get))),
      when(is(first.get, brace), inside(skipObject)),
      when(is(first.get, 0x5b), inside(skipArray)),
      give(skipNumber.call(at!.get)),
    ]
  })
  /** Elements from behind the opening sign to behind the closing one. */
  const elements = (at: Variable, close: number, element: Code): Code => [
    passBlanks(at),
    when(is(byte(at.get), close), give(i32.add(at.get, i32.const(1)))),
    loop((again) => [
      element,
      when(isStop(at), give(stop)),
      passBlanks(at),
      when(is(byte(at.get), close), give(i32.add(at.get, i32.const(1)))),
      when(isNot(byte(at.get), 0x2c), give(stop)),
      next(at),
      passBlanks(at),
      branch(again),
    ]),
  ]
  module.define(skipArray, ([at, deeper]) => elements(at!, 0x5d, at!.set(skipValue.call(at!.get, deeper!.get))))
  module.define(skipObject, ([at, deeper]) =>
    elements(at!, 0x7d, [
      when(isNot(byte(at!.get), quote), give(stop)),
      at!.set(skipText.call(i32.add(at!.get, i32.const(1)))),
      when(isStop(at!), give(stop)),
      passBlanks(at!),
      when(isNot(byte(at!.get), 0x3a), give(stop)),
      next(at!),
      passBlanks(at!),
      at!.set(skipValue.call(at!.get, deeper!.get)),
    ]),
  )
}
