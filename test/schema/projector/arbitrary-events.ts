import fc from 'fast-check'
import { boolean, decimal, type Field, type Fields, float, int, string, timestamp } from '../../../src/schema/field.ts'

/** Every kind, presence and unit; flat and nested, with names that others begin with, that are long or not ASCII. */
export const fieldSets: readonly Fields[] = [
  {
    id: string(),
    i: int(),
    ii: int().optional(),
    amount: decimal(2),
    flag: boolean().nullable(),
    at: timestamp('ms'),
  },
  {
    id: string().at('meta.id'),
    at: timestamp().at('meta.at'),
    seconds: timestamp('s').optional(),
    micros: timestamp('us').optional().at('meta.us'),
    price: decimal(9).optional().at('payload.props.price'),
    count: int().nullable().at('payload.props.count'),
    ratio: float().optional().at('payload.ratio'),
    name: string().optional().at('opt.naïve'),
    flag: boolean().optional().at('opt.__proto__'),
  },
  { a: float(), b: decimal(0).optional(), c: string().nullable(), twice: float().optional().at('a') },
]

type Tree = { readonly [step: string]: Tree | Field[] }

/**
 * JSON text for some fields: mostly events that a decoder accepts, with everything it may meet on the way. `common`:
 * nothing that is rare.
 */
export function event(fields: Fields, { common = false } = {}): fc.Arbitrary<string> {
  const tree: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const steps = (field.path ?? name).split('.')
    let at = tree
    for (const step of steps.slice(0, -1)) {
      if (!Object.hasOwn(at, step)) define(at, step, {})
      at = Object.getOwnPropertyDescriptor(at, step)!.value as Record<string, unknown>
    }
    const last = steps.at(-1)!
    const own = (Object.getOwnPropertyDescriptor(at, last)?.value ?? []) as Field[]
    define(at, last, [...own, field])
  }
  return fc.tuple(blanks, objectOf(tree as Tree, common), blanks).map((parts) => parts.join(''))
}

function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
}

const blanks = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: fc.constant(' ') },
  { weight: 1, arbitrary: fc.constantFrom('\n\t', '\r\n  ', '  ') },
)

function objectOf(tree: Tree, common: boolean): fc.Arbitrary<string> {
  const members = Object.entries(tree).map(([name, below]) => {
    const value = Array.isArray(below) ? valueOf(below[0]!, common) : objectOf(below, common)
    const usual = fc.tuple(nameText(name, common), value).map(([key, text]) => [[key, text]])
    if (common) return usual
    const odd = fc.oneof(
      fc.constant([] as string[][]),
      fc.tuple(nameText(name, common), junk).map((member) => [member]),
      fc.tuple(usual, usual).map(([one, other]) => [...one, ...other]),
      fc.constant([[JSON.stringify(name), 'null']]),
    )
    return fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: odd })
  })
  const others = fc.array(
    fc.tuple(fc.oneof(fc.constantFrom('"x"', '"ida"', '"i i"', '"__proto__"', '""'), anyName), junk),
    { maxLength: 3 },
  )
  return fc
    .tuple(fc.tuple(...members), others)
    .map(([own, more]) => [...own.flat(), ...more])
    .chain((all) => fc.tuple(fc.shuffledSubarray(all, { minLength: all.length }), blanks, blanks, blanks))
    .map(([all, a, b, c]) => `{${a}${all.map(([name, value]) => `${name}${a}:${b}${value}`).join(`${c},${b}`)}${c}}`)
}

function nameText(name: string, common: boolean): fc.Arbitrary<string> {
  const plain = fc.constant(JSON.stringify(name))
  if (common) return plain
  return fc.oneof({ weight: 60, arbitrary: plain }, { weight: 1, arbitrary: escaped(name) })
}

/** The same text with one of its characters escaped. */
function escaped(text: string): fc.Arbitrary<string> {
  return fc.nat({ max: text.length }).map((index) => {
    const code = text.charCodeAt(index) || 0x41
    return `"${text.slice(0, index)}\\u${code.toString(16).padStart(4, '0')}${text.slice(index + 1)}"`
  })
}

const anyName = fc.string({ unit: 'binary', maxLength: 6 }).map((name) => JSON.stringify(name))

const digitsText = (max: number) => fc.bigInt({ min: 0n, max: 10n ** BigInt(max) }).map(String)

/** Every shape of a number, up to more digits than a double has. */
const numberText = fc
  .record({
    sign: fc.constantFrom('', '', '', '-'),
    whole: fc.oneof(fc.nat({ max: 1000 }).map(String), digitsText(14), digitsText(19)),
    fraction: fc.oneof(fc.constant(''), digitsText(2), digitsText(8), digitsText(17)),
    exponent: fc.oneof(
      { weight: 12, arbitrary: fc.constant('') },
      { weight: 1, arbitrary: fc.constantFrom('e5', 'E-7', 'e+300', 'e400') },
    ),
  })
  .map(({ sign, whole, fraction, exponent }) => `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}${exponent}`)

const instantText = fc
  .record({
    ms: fc.oneof(
      { weight: 15, arbitrary: fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) - 1 }) },
      { weight: 1, arbitrary: fc.integer({ min: -86_400_000, max: Date.UTC(2100, 0, 2) }) },
    ),
    cut: fc.constantFrom(19, 21, 23),
    more: fc.constantFrom('', '', '4', '456789', '4567891'),
    between: fc.constantFrom('T', 'T', 't', ' '),
    zone: fc.constantFrom('Z', 'Z', 'Z', 'Z', 'Z', 'z', '+00:00', '-01:30', '+23:59', '+0530', '+24:00', ''),
  })
  .map(({ ms, cut, more, between, zone }) => {
    const text = new Date(ms).toISOString().slice(0, cut).replace('T', between)
    return `"${text}${cut === 23 ? more : ''}${zone}"`
  })

/** Instants that are none, and those around which an arithmetic of days goes wrong. */
const edgeInstants = `
  2024-02-29T00:00:00Z 2023-02-29T00:00:00Z 2100-02-29T00:00:00Z 2099-12-31T23:59:59.999Z 2100-01-01T00:30:00+01:00
  1970-01-01T00:30:00+01:00 1969-12-31T23:30:00-01:00 2024-04-31T00:00:00Z 2024-01-01T24:00:00Z 2024-06-30T23:59:60Z
  2024-01-01T00:00Z 2024-13-01T00:00:00Z 2024-00-10T00:00:00Z 2024-01-01 2024-01-01T00:00:00.Z +2024-01-01T00:00:00Z
  2024-01-01T00:00:00.1234567890Z 2024-01-0:T00:00:00Z 2024-01-01T00:00:00+1:00 2024-01-01T00:00:00+01:0`
const edgeInstant = fc.constantFrom(...edgeInstants.trim().split(/\s+/)).map((text) => JSON.stringify(text))

const textText = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 20 }).map((text) => JSON.stringify(text)),
  fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => JSON.stringify(text)),
  fc.constantFrom('"\\ud800"', '"a\\n"', '""', '"\\u0000"', '"\u007f"'),
)

/** Any value at all, and a little that is none. */
const junk: fc.Arbitrary<string> = fc.oneof(
  { weight: 10, arbitrary: fc.json({ maxDepth: 3 }) },
  { weight: 5, arbitrary: fc.oneof(numberText, textText, instantText) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('01', '-', '1.', '.5', '+1', 'NaN', 'tru', '"\\x"', '"\t"', '[1,]', '{"a"}'),
  },
)

function valueOf(field: Field, common: boolean): fc.Arbitrary<string> {
  const usual = usualOf(field, common)
  const allowed =
    field.presence === 'required'
      ? usual
      : fc.oneof({ weight: 4, arbitrary: usual }, { weight: 1, arbitrary: fc.constant('null') })
  return common ? allowed : fc.oneof({ weight: 40, arbitrary: allowed }, { weight: 1, arbitrary: junk })
}

function usualOf(field: Field, common: boolean): fc.Arbitrary<string> {
  const rare = (often: fc.Arbitrary<string>, seldom: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    common ? often : fc.oneof({ weight: 8, arbitrary: often }, { weight: 1, arbitrary: seldom })
  switch (field.kind) {
    case 'string':
      return rare(fc.constantFrom('"p1"', '"a longer text"', '"Zoë 🦊"'), textText)
    case 'boolean':
      return fc.constantFrom('true', 'false')
    case 'int':
      return rare(fc.integer().map(String), fc.oneof(fc.maxSafeInteger().map(String), numberText))
    case 'float':
      return rare(
        fc.integer().map((value) => String(value / 1_000)),
        fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }).map(String), numberText),
      )
    case 'decimal':
      return rare(
        fc
          .integer({ min: -(10 ** 8), max: 10 ** 8 })
          .map((scaled) => (scaled / 10 ** field.scale!).toFixed(field.scale!))
          .chain((text) => fc.constantFrom(text, JSON.stringify(text))),
        fc.oneof(
          numberText,
          numberText.map((text) => `"${text}"`),
        ),
      )
    case 'timestamp': {
      const text = rare(instantText, edgeInstant)
      if (field.unit === null) return text
      const perMs = { s: 0.001, ms: 1, us: 1_000 }[field.unit]
      const number = fc.integer({ min: -5, max: 2 ** 40 }).map((ms) => String(ms * perMs))
      return fc.oneof({ weight: 3, arbitrary: rare(number, numberText) }, { weight: 1, arbitrary: text })
    }
  }
}

/** The bytes of a text after up to three changes that an author of JSON would not make. */
export function mutated(text: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
  const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const sign = fc.oneof(
    fc.constantFrom(...Array.from('{}[]:,"\\ 0123456789.eE+-tfnu\u0000\u001f', (char) => char.charCodeAt(0))),
    fc.integer({ min: 0, max: 255 }),
  )
  const change = fc.record({
    kind: fc.constantFrom('replace', 'flip', 'insert', 'remove', 'cut', 'repeat', 'escape'),
    place,
    size: fc.nat({ max: 12 }),
    sign,
  })
  return fc.tuple(text, fc.array(change, { minLength: 1, maxLength: 3 })).map(([original, changes]) => {
    let bytes = [...Buffer.from(original)]
    for (const { kind, place: share, size, sign: byte } of changes) {
      const at = Math.floor(share * bytes.length)
      if (kind === 'replace') bytes[at] = byte
      else if (kind === 'flip') bytes[at] = (bytes[at] ?? 0) ^ (1 << (size % 8))
      else if (kind === 'insert') bytes.splice(at, 0, byte)
      else if (kind === 'remove') bytes.splice(at, size)
      else if (kind === 'cut') bytes.length = at
      else if (kind === 'repeat') bytes.splice(at, 0, ...bytes.slice(at, at + size))
      else bytes.splice(at, 0, ...Buffer.from(String.raw`\u0041`))
    }
    bytes = bytes.map((one) => one & 255)
    return Uint8Array.from(bytes)
  })
}
