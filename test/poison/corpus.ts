/**
 * Raw events that break decoders, each with what must become of it, for a stream with these fields in this order,
 * the time `at` and the id `paymentId`:
 *
 *   paymentId string · customerId int · terminalId int · amount decimal(2) · fraud boolean ·
 *   at timestamp (text with a zone, or a number of ms) · note optional string
 *
 * The rules behind the expectations:
 * - the whole is judged before its fields, in the order SIZE, ENCODING, DEPTH, JSON, SHAPE; the first one ends it;
 * - then every field has at most one fault, and all of them are listed in the declared order;
 * - a number means the double nearest to it, as `JSON.parse` reads it; JSON itself is exactly what RFC 8259 allows;
 * - fields that are not declared are not judged, whatever they are called and hold.
 */

export type PoisonCode =
  | 'SIZE'
  | 'ENCODING'
  | 'DEPTH'
  | 'JSON'
  | 'SHAPE'
  | 'MISSING'
  | 'NULL'
  | 'TYPE'
  | 'RANGE'
  | 'SCALE'
  | 'TIME'

export type PoisonFault = {
  readonly code: PoisonCode
  /** Name of the field; empty for the whole body. */
  readonly path: string
}

export type Poison = {
  readonly name: string
  readonly body: Uint8Array
  readonly expected: 'accepted' | readonly PoisonFault[]
  /**
   * Of an accepted body: what the named fields must decode to, where a decoder could get it wrong. An amount is in
   * cents, an instant in epoch milliseconds.
   */
  readonly values?: Readonly<Record<string, PoisonValue>>
}

export type PoisonValue = string | number | boolean | null

type FieldName = (typeof fieldNames)[number]
/** JSON text of a field's value; null leaves the field out. */
type Tokens = Readonly<Partial<Record<FieldName, string | null>>>

const fieldNames = ['paymentId', 'customerId', 'terminalId', 'amount', 'fraud', 'at', 'note'] as const
const bytesMax = 1_048_576
const depthMax = 64
/** 2018-04-01T12:00:00Z */
const noonMs = 1_522_584_000_000

const plain: Tokens = {
  paymentId: '"p1"',
  customerId: '7',
  terminalId: '9',
  amount: '57.16',
  fraud: 'false',
  at: '"2018-04-01T12:00:00Z"',
}

/** Members of the plain event with some changed or left out, without the braces. */
function members(tokens: Tokens = {}): string {
  const merged: Tokens = { ...plain, ...tokens }
  return fieldNames.flatMap((name) => (typeof merged[name] === 'string' ? [`"${name}":${merged[name]}`] : [])).join(',')
}

const event = (tokens: Tokens = {}): string => `{${members(tokens)}}`
/** The plain event and then more members, which may repeat some of its own. */
const eventWith = (more: string, tokens: Tokens = {}): string => `{${members(tokens)},${more}}`
const arrays = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
const objects = (depth: number): string => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`

const utf8 = new TextEncoder()
const bytesOf = (body: string | Uint8Array): Uint8Array => (typeof body === 'string' ? utf8.encode(body) : body)

/** ASCII text with bytes between its pieces that no text can carry. */
function spliced(before: string, bytes: readonly number[], after: string): Uint8Array {
  return Uint8Array.from([...utf8.encode(before), ...bytes, ...utf8.encode(after)])
}

/** Fills a body with blanks at its end up to a size. */
function padded(body: string, size: number): Uint8Array {
  const bytes = new Uint8Array(size).fill(0x20)
  bytes.set(utf8.encode(body))
  return bytes
}

function accepted(name: string, body: string | Uint8Array, values?: Readonly<Record<string, PoisonValue>>): Poison {
  const poison: Poison = { name, body: bytesOf(body), expected: 'accepted' }
  return values === undefined ? poison : { ...poison, values }
}

function refused(name: string, body: string | Uint8Array, faults: readonly `${PoisonCode} ${string}`[]): Poison {
  const expected = faults.map((fault) => {
    const [code, path] = fault.split(' ') as [PoisonCode, string]
    return { code, path }
  })
  return { name, body: bytesOf(body), expected }
}

/** One fault of the whole body. */
const whole = (code: PoisonCode, bodies: Readonly<Record<string, string | Uint8Array>>): readonly Poison[] =>
  Object.entries(bodies).map(([name, body]) => refused(name, body, [`${code} `]))

/** The plain event with one field changed, which is refused with one code. */
const faulty = (code: PoisonCode, path: FieldName, tokens: Readonly<Record<string, string>>): readonly Poison[] =>
  Object.entries(tokens).map(([name, token]) => refused(name, event({ [path]: token }), [`${code} ${path}`]))

/** The plain event with one field changed, accepted, and what that field becomes. */
const sound = (
  path: FieldName,
  tokens: Readonly<Record<string, readonly [token: string, value: PoisonValue]>>,
): readonly Poison[] =>
  Object.entries(tokens).map(([name, [token, value]]) => accepted(name, event({ [path]: token }), { [path]: value }))

const size: readonly Poison[] = [
  accepted('exactly 1 MiB', padded(event(), bytesMax)),
  accepted('a note of a million letters', event({ note: `"${'x'.repeat(1_000_000)}"` })),
  accepted(
    'sixty thousand undeclared fields',
    eventWith(Array.from({ length: 60_000 }, (_, index) => `"k${index}":0`).join(',')),
  ),
  ...whole('SIZE', {
    'one byte over 1 MiB': padded(event(), bytesMax + 1),
    '10 MB of one note': event({ note: `"${'x'.repeat(10_000_000)}"` }),
    '10 MB of blanks': padded('', 10_000_000),
    '10 MB of zero bytes': new Uint8Array(10_000_000),
    '10 MB that are not UTF-8': new Uint8Array(10_000_000).fill(0xff),
    'an array two million deep': arrays(2_000_000),
  }),
]

const encoding: readonly Poison[] = [
  accepted('letters of two, three and four bytes', event({ note: '"é水🦀"' }), { note: 'é水🦀' }),
  accepted('noncharacters U+FFFE and U+10FFFF', event({ note: '"\ufffe\u{10ffff}"' }), { note: '\ufffe\u{10ffff}' }),
  accepted('a replacement character of its own', event({ paymentId: '"\ufffd"' }), { paymentId: '\ufffd' }),
  ...whole('ENCODING', {
    'a lone 0xFF in the id': spliced('{"paymentId":"p', [0xff], `",${members({ paymentId: null })}}`),
    'Latin-1 in the note': spliced(`{${members()},"note":"caf`, [0xe9], '"}'),
    'a four-byte letter cut short': spliced(`{${members()},"note":"`, [0xf0, 0x9f, 0xa6], '"}'),
    'a lone continuation byte': spliced(`{${members()},"note":"`, [0x80], '"}'),
    'an overlong slash': spliced(`{${members()},"note":"`, [0xc0, 0xaf], '"}'),
    'an overlong NUL': spliced(`{${members()},"note":"`, [0xc0, 0x80], '"}'),
    'a surrogate in three bytes': spliced(`{${members()},"note":"`, [0xed, 0xa0, 0xbd], '"}'),
    'a letter beyond U+10FFFF': spliced(`{${members()},"note":"`, [0xf4, 0x90, 0x80, 0x80], '"}'),
    'bad bytes in an undeclared value': spliced(`{${members()},"extra":"`, [0xfe], '"}'),
    'bad bytes in an undeclared name': spliced(`{${members()},"`, [0xfe], '":1}'),
    'bad bytes after the end': spliced(event(), [0xff], ''),
    'UTF-16 with a mark': Buffer.from(`\ufeff${event()}`, 'utf16le'),
    'gzip instead of text': Uint8Array.from([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03]),
  }),
]

const depth: readonly Poison[] = [
  // The event itself is the first level.
  accepted('as deep as allowed, arrays', eventWith(`"extra":${arrays(depthMax - 1)}`)),
  accepted('as deep as allowed, objects', eventWith(`"extra":${objects(depthMax - 1)}`)),
  accepted('a thousand brackets inside a note', event({ note: `"${'[{'.repeat(500)}"` })),
  accepted('brackets after an escaped quote inside a note', event({ note: `"\\"${'['.repeat(200)}\\\\"` })),
  accepted('a thousand brackets inside an undeclared name', eventWith(`"${'['.repeat(1_000)}":0`)),
  accepted('a thousand arrays side by side', eventWith(`"extra":[${Array(1_000).fill('[]').join(',')}]`)),
  refused('an array as deep as allowed for a note', event({ note: arrays(depthMax - 1) }), ['TYPE note']),
  ...whole('DEPTH', {
    'one level too deep, arrays': eventWith(`"extra":${arrays(depthMax)}`),
    'one level too deep, objects': eventWith(`"extra":${objects(depthMax)}`),
    'one level too deep in a declared field': event({ amount: arrays(depthMax) }),
    'an array 100,000 deep': arrays(100_000),
    'a field 100,000 deep': eventWith(`"extra":${arrays(100_000)}`),
    'objects 100,000 deep': objects(100_000),
    '100,000 brackets that nobody closes': '['.repeat(100_000),
    'a too deep array before the broken end': `{"extra":${arrays(100)},`,
  }),
]

const json: readonly Poison[] = [
  accepted(
    'blanks, tabs and line ends around everything',
    `\r\n\t ${event().replaceAll(/([{}:,])(?!\d\d)/g, ' $1\n')} \n`,
  ),
  ...whole('JSON', {
    'an empty body': '',
    'only blanks': '  \n',
    'a byte order mark': `\ufeff${event()}`,
    'a body cut in the middle': event().slice(0, 40),
    'a body without its last brace': event().slice(0, -1),
    'a brace too many': `${event()}}`,
    'two events in one body': `${event()}\n${event()}`,
    'a comma after the last field': `{${members()},}`,
    'a comma before the first field': `{,${members()}}`,
    'a comma after the last item': eventWith('"extra":[1,]'),
    'no comma between two fields': `{${members()} "note":"x"}`,
    'NaN for an amount': event({ amount: 'NaN' }),
    'Infinity for an amount': event({ amount: 'Infinity' }),
    '-Infinity for an undeclared field': eventWith('"extra":-Infinity'),
    'undefined for a note': event({ note: 'undefined' }),
    'True of Python': event({ fraud: 'True' }),
    'None of Python': event({ note: 'None' }),
    'single quotes': event().replaceAll('"', "'"),
    'names without quotes': '{paymentId:"p1"}',
    'a comment': `{/* payment */${members()}}`,
    'a line comment at the end': `${event()} // payment`,
    'a leading zero': event({ customerId: '007' }),
    'a leading plus': event({ customerId: '+7' }),
    'a number that starts with its point': event({ amount: '.5' }),
    'a number that ends with its point': event({ amount: '5.' }),
    'a number that ends with its exponent': event({ amount: '5e' }),
    'a lone minus': event({ amount: '-' }),
    'a hexadecimal number': event({ customerId: '0x7' }),
    'a BigInt literal': event({ customerId: '7n' }),
    'digits with underscores': event({ customerId: '1_000' }),
    'a comma instead of the point': event({ amount: '57,16' }),
    'a line end inside a string': event({ note: '"a\nb"' }),
    'a zero byte inside a string': event({ note: '"a\0b"' }),
    'a zero byte after the end': `${event()}\0`,
    'a no-break space between tokens': `{\u00a0${members()}}`,
    'an escape that JSON lacks': event({ note: '"\\x41"' }),
    'an escape of three digits': event({ note: '"\\u004"' }),
    'a string nobody closes': `{${members()},"note":"x}`,
    'UTF-16 without a mark': Buffer.from(event(), 'utf16le'),
    XML: '<payment id="p1"/>',
    'a form': 'paymentId=p1&customerId=7',
    'the text of an object': '[object Object]',
    'zero bytes': new Uint8Array(64),
    'the frame of a schema registry before the event': spliced('', [0, 0, 0, 0, 1], event()),
  }),
]

const shape: readonly Poison[] = whole('SHAPE', {
  'an empty array': '[]',
  'an event inside an array': `[${event()}]`,
  'null for the whole': 'null',
  'true for the whole': 'true',
  'a number for the whole': '42',
  'a number beyond doubles for the whole': '1e999',
  'a string for the whole': '"p1"',
  'an event inside a string': JSON.stringify(event()),
})

const absent: readonly Poison[] = [
  ...fieldNames
    .filter((name) => name !== 'note')
    .flatMap((name) => [
      refused(`no ${name}`, event({ [name]: null }), [`MISSING ${name}`]),
      refused(`null for ${name}`, event({ [name]: 'null' }), [`NULL ${name}`]),
    ]),
  accepted('null for a note', event({ note: 'null' }), { note: null }),
  refused('another case of a name', event({ amount: null }).replace('}', ',"Amount":57.16}'), ['MISSING amount']),
  refused('a blank after a name', event({ amount: null }).replace('}', ',"amount ":57.16}'), ['MISSING amount']),
  refused('a NUL after a name', event({ amount: null }).replace('}', ',"amount\\u0000":57.16}'), ['MISSING amount']),
  refused('a field that is only in another object', `{${members({ amount: null })},"extra":{"amount":57.16}}`, [
    'MISSING amount',
  ]),
]

const types: readonly Poison[] = [
  ...faulty('TYPE', 'paymentId', {
    'a number for a string': '1',
    'true for a string': 'true',
    'an object for a string': '{"id":"p1"}',
    'an array for a string': '["p1"]',
  }),
  ...faulty('TYPE', 'customerId', {
    'a string for an int': '"7"',
    'an empty string for an int': '""',
    'true for an int': 'true',
    'an array of an int for an int': '[7]',
    'an object for an int': '{"$numberLong":"7"}',
  }),
  ...faulty('TYPE', 'fraud', {
    'a string for a boolean': '"true"',
    'an empty string for a boolean': '""',
    '1 for a boolean': '1',
    '0 for a boolean': '0',
    'an array for a boolean': '[]',
  }),
  ...faulty('TYPE', 'amount', {
    'a word for a decimal': '"much"',
    'an empty string for a decimal': '""',
    'blanks around a decimal in a string': '" 57.16 "',
    'a decimal comma in a string': '"57,16"',
    'a thousands separator in a string': '"1,057.16"',
    'a currency in a string': '"57.16 EUR"',
    'a hexadecimal string for a decimal': '"0x10"',
    'NaN in a string': '"NaN"',
    'Infinity in a string': '"Infinity"',
    'an exponent in a string': '"1e2"',
    'digits of another script': '"５７.１６"',
    'two points in a string': '"57.1.6"',
    'true for a decimal': 'true',
    'an array for a decimal': '[57.16]',
    'an object for a decimal': '{"toString":57.16,"valueOf":57.16}',
  }),
  ...faulty('TYPE', 'at', {
    'true for an instant': 'true',
    'an array for an instant': '[2018,4,1,12,0]',
    'an object for an instant': '{"$date":1522584000000}',
  }),
  ...faulty('TYPE', 'note', { 'a number for an optional string': '0', 'false for an optional string': 'false' }),
]

const numbers: readonly Poison[] = [
  ...sound('customerId', {
    'minus zero for an int': ['-0', 0],
    'an int with an exponent': ['1e2', 100],
    'an int with a large E and a plus': ['1E+2', 100],
    'an int with a zero fraction': ['7.000', 7],
    'an int made whole by its exponent': ['1.5e1', 15],
    'a negative int': ['-7', -7],
    'the largest safe int': ['9007199254740991', Number.MAX_SAFE_INTEGER],
    'the smallest safe int': ['-9007199254740991', Number.MIN_SAFE_INTEGER],
    'zero with a huge exponent': ['0e999', 0],
  }),
  ...faulty('RANGE', 'customerId', {
    'the first unsafe int': '9007199254740992',
    'an int that a double cannot hold': '9007199254740993',
    'the first unsafe int below zero': '-9007199254740992',
    'an int of 64 bits': '9223372036854775807',
    'an int beyond doubles': '1e999',
    'an int of a thousand digits': '9'.repeat(1_000),
    'a fraction for an int': '7.5',
    'a fraction made by an exponent': '1e-1',
    'a tiny fraction for an int': '5e-324',
  }),
  ...sound('amount', {
    'a whole decimal': ['57', 5_700],
    'a decimal with an exponent': ['1e2', 10_000],
    'one cent with an exponent': ['1e-2', 1],
    'trailing zeros of a decimal': ['57.1600', 5_716],
    'minus zero for a decimal': ['-0.00', 0],
    'a negative decimal': ['-57.16', -5_716],
    'a decimal that times 100 is no whole double': ['1.15', 115],
    'another that times 100 is too small': ['0.29', 29],
    'a decimal nearest to which a double has two digits': ['57.16000000000000000000000001', 5_716],
    'a decimal below the smallest double': ['1e-400', 0],
    'a decimal of fifteen digits': ['9999999999999.99', 999_999_999_999_999],
    'a decimal in a string': ['"12.34"', 1_234],
    'a whole decimal in a string': ['"12"', 1_200],
    'one digit in a string': ['"12.3"', 1_230],
    'trailing zeros in a string': ['"12.3400"', 1_234],
    'minus zero in a string': ['"-0.00"', 0],
    'a negative decimal in a string': ['"-12.34"', -1_234],
    // Next to 2^46 doubles are further apart than cents: text has to be read as digits, not through a double.
    'a large odd cent in a string': ['"70368744177664.01"', 7_036_874_417_766_401],
    'the cent after it in a string': ['"70368744177664.02"', 7_036_874_417_766_402],
  }),
  ...faulty('SCALE', 'amount', {
    'half a cent': '1.005',
    'a third digit': '57.161',
    'a sum of doubles': '0.30000000000000004',
    'a tenth of a cent with an exponent': '1e-3',
    'the smallest double': '5e-324',
    'a third digit in a string': '"12.345"',
    'half a cent in a string': '"1.005"',
  }),
  ...faulty('RANGE', 'amount', {
    'a decimal beyond doubles': '1e999',
    'a decimal beyond doubles below zero': '-1e999',
    'a decimal whose cents are not safe': '90071992547410',
    'a huge decimal': '1e300',
    'a huge decimal in a string': '"90071992547410.00"',
    'a decimal of thirty digits in a string': '"123456789012345678901234567890.00"',
  }),
]

const times: readonly Poison[] = [
  ...sound('at', {
    'a fraction of a second': ['"2018-04-01T12:00:00.123Z"', noonMs + 123],
    'one digit of a second': ['"2018-04-01T12:00:00.1Z"', noonMs + 100],
    'nanoseconds, which are floored': ['"2018-04-01T12:00:00.123999999Z"', noonMs + 123],
    'an offset to the east': ['"2018-04-01T14:00:00+02:00"', noonMs],
    'an offset to the west with minutes': ['"2018-04-01T06:30:00-05:30"', noonMs],
    'an offset over midnight': ['"2018-04-02T02:00:00+14:00"', noonMs],
    'an offset of minus zero': ['"2018-04-01T12:00:00-00:00"', noonMs],
    'an offset without its colon': ['"2018-04-01T14:00:00+0200"', noonMs],
    'a lowercase z': ['"2018-04-01T12:00:00z"', noonMs],
    'a lowercase t': ['"2018-04-01t12:00:00Z"', noonMs],
    'a blank instead of the T': ['"2018-04-01 12:00:00Z"', noonMs],
    'no seconds': ['"2018-04-01T12:00Z"', noonMs],
    'an escaped digit in a time': ['"201\\u0038-04-01T12:00:00Z"', noonMs],
    'the 29th of February of a leap year': ['"2020-02-29T00:00:00Z"', 1_582_934_400_000],
    'a number of milliseconds': ['1522584000000', noonMs],
    'a number of milliseconds with an exponent': ['1.522584e12', noonMs],
    'microseconds as a fraction, which are floored': ['1522584000000.999', noonMs],
    // Seconds taken for milliseconds are in 1970: nothing about the number alone tells.
    'seconds where milliseconds are declared': ['1522584000', 1_522_584_000],
    'the first instant': ['"1970-01-01T00:00:00Z"', 0],
    'the first instant as a number': ['0', 0],
    'the first instant as minus zero': ['-0', 0],
    'the last instant': ['"2099-12-31T23:59:59.999Z"', 4_102_444_799_999],
    'the last instant, floored': ['"2099-12-31T23:59:59.9999Z"', 4_102_444_799_999],
    'the last instant as a number': ['4102444799999.5', 4_102_444_799_999],
    'a date of 2100 that is still 2099 in UTC': ['"2100-01-01T00:30:00+01:00"', 4_102_443_000_000],
  }),
  ...faulty('TIME', 'at', {
    'no zone': '"2018-04-01T12:00:00"',
    'a fraction and no zone': '"2018-04-01T12:00:00.000"',
    'a date alone': '"2018-04-01"',
    'a time alone': '"12:00:00Z"',
    'an empty time': '""',
    'a word for a time': '"now"',
    'a number in a string': '"1522584000000"',
    'blanks around a time': '" 2018-04-01T12:00:00Z "',
    'a line end after a time': '"2018-04-01T12:00:00Z\\n"',
    'a zone by its letters': '"2018-04-01T12:00:00 CEST"',
    'a zone by its name': '"2018-04-01T12:00:00[Europe/Paris]"',
    'the time of an e-mail': '"Sun, 01 Apr 2018 12:00:00 GMT"',
    'a date as Americans write it': '"04/01/2018 12:00:00Z"',
    'a day of the year': '"2018-091T12:00:00Z"',
    'a day of the week': '"2018-W13-7T12:00:00Z"',
    'two digits for a year': '"18-04-01T12:00:00Z"',
    'one digit for a month': '"2018-4-01T12:00:00Z"',
    'six digits for a year': '"+002018-04-01T12:00:00Z"',
    'digits of another script in a time': '"２０１８-04-01T12:00:00Z"',
    'month 13': '"2018-13-01T12:00:00Z"',
    'month 0': '"2018-00-01T12:00:00Z"',
    'the 30th of February': '"2018-02-30T12:00:00Z"',
    'the 29th of February of no leap year': '"2018-02-29T12:00:00Z"',
    'the 31st of April': '"2018-04-31T12:00:00Z"',
    'hour 25': '"2018-04-01T25:00:00Z"',
    'minute 60': '"2018-04-01T12:60:00Z"',
    'midnight as 24:00': '"2018-04-01T24:00:00Z"',
    'a moment after 24:00': '"2018-04-01T24:00:01Z"',
    'a leap second': '"2016-12-31T23:59:60Z"',
    'a leap second that never was': '"2018-04-01T12:00:60Z"',
    'an offset of a day': '"2018-04-01T12:00:00+24:00"',
    'an offset of sixty minutes': '"2018-04-01T12:00:00+01:60"',
    'both Z and an offset': '"2018-04-01T12:00:00Z+02:00"',
    'just before 1970': '"1969-12-31T23:59:59.999Z"',
    'a date of 1970 that is still 1969 in UTC': '"1970-01-01T00:30:00+01:00"',
    'the year 0000': '"0000-01-01T00:00:00Z"',
    'the year 0071': '"0071-06-01T00:00:00Z"',
    'the year 2100': '"2100-01-01T00:00:00Z"',
    'the year 9999': '"9999-12-31T23:59:59Z"',
    'a negative number of milliseconds': '-1',
    'a little before zero': '-0.5',
    'the number of the year 2100': '4102444800000',
    'microseconds where milliseconds are declared': '1522584000000000',
    'more than a Date can hold': '8640000000000001',
    'a number of milliseconds beyond doubles': '1e999',
  }),
]

const names: readonly Poison[] = [
  accepted('a field called __proto__', eventWith('"__proto__":{"amount":1,"polluted":true}'), { amount: 5_716 }),
  accepted('null called __proto__', eventWith('"__proto__":null')),
  accepted('an escaped __proto__', eventWith('"\\u005f_proto__":{"polluted":true}')),
  accepted('a constructor with a prototype', eventWith('"constructor":{"prototype":{"polluted":true}}')),
  accepted('a field called hasOwnProperty', eventWith('"hasOwnProperty":false')),
  accepted('fields called as the methods of objects', eventWith('"toString":1,"valueOf":null,"toJSON":"x","then":{}')),
  accepted('a field without a name', eventWith('"":1')),
  accepted('undeclared values of every kind', eventWith('"a":null,"b":[1,{"c":1e999}],"d":"x","e":-1.5e-400')),
  refused('declared fields only inside __proto__', `{"__proto__":${event()}}`, [
    'MISSING paymentId',
    'MISSING customerId',
    'MISSING terminalId',
    'MISSING amount',
    'MISSING fraud',
    'MISSING at',
  ]),
  accepted('an escaped letter in a declared name', `{${members({ amount: null })},"am\\u006funt":12.34}`, {
    amount: 1_234,
  }),
  accepted('the last of two equal names', eventWith('"amount":12.34'), { amount: 1_234 }),
  accepted('a wrong value before the right one', eventWith('"customerId":8', { customerId: '"x"' }), { customerId: 8 }),
  accepted('null before the value', eventWith('"fraud":true', { fraud: 'null' }), { fraud: true }),
  accepted('a name and its escaped twin', eventWith('"am\\u006funt":12.34'), { amount: 1_234 }),
  refused('a wrong value after the right one', eventWith('"customerId":"x"'), ['TYPE customerId']),
  refused('null after the value', eventWith('"fraud":null'), ['NULL fraud']),
  refused('an escaped twin with a wrong value', eventWith('"am\\u006funt":[]'), ['TYPE amount']),
  accepted('a declared name inside an undeclared object', eventWith('"extra":{"amount":"x","at":null}'), {
    amount: 5_716,
  }),
  accepted('fields in the opposite order', `{${members().split(',').toReversed().join(',')}}`, {
    amount: 5_716,
    at: noonMs,
  }),
]

const strings: readonly Poison[] = [
  ...sound('paymentId', {
    'an empty id': ['""', ''],
    'an id of blanks': ['"  "', '  '],
    'an escaped NUL in the id': ['"p\\u00001"', 'p\u00001'],
    'a lone high surrogate in the id': ['"\\ud83d"', '\ud83d'],
    'a lone low surrogate in the id': ['"\\udc00x"', '\udc00x'],
    'surrogates in the wrong order': ['"\\ude00\\ud83d"', '\ude00\ud83d'],
    'a pair of surrogates': ['"\\ud83d\\ude00"', '😀'],
    'every short escape': ['"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'],
    'an id that is called __proto__': ['"__proto__"', '__proto__'],
    'an escaped byte order mark in the id': ['"\\ufeffp1"', '\ufeffp1'],
    'a DEL and line separators of Unicode': ['"\u007f\u2028\u2029"', '\u007f\u2028\u2029'],
    'letters that Unicode could also compose': ['"e\u0301"', 'e\u0301'],
  }),
  accepted('a note that looks like the end of the event', event({ note: '"\\"},{\\"amount\\":\\"x"' }), {
    amount: 5_716,
    note: '"},{"amount":"x',
  }),
  accepted('a note that looks like a field', `{"note":"\\"amount\\":1.005,",${members()}}`, { amount: 5_716 }),
]

const several: readonly Poison[] = [
  refused('an empty object', '{}', [
    'MISSING paymentId',
    'MISSING customerId',
    'MISSING terminalId',
    'MISSING amount',
    'MISSING fraud',
    'MISSING at',
  ]),
  refused(
    'one fault of every kind',
    `{"customerId":null,"terminalId":7.5,"amount":1.005,"fraud":"true","at":"now","note":1}`,
    ['MISSING paymentId', 'NULL customerId', 'RANGE terminalId', 'SCALE amount', 'TYPE fraud', 'TIME at', 'TYPE note'],
  ),
  refused(
    'faults in another order than declared',
    '{"at":"","fraud":0,"paymentId":"p1","customerId":1,"terminalId":{}}',
    ['TYPE terminalId', 'MISSING amount', 'TYPE fraud', 'TIME at'],
  ),
  refused('null for everything', event(Object.fromEntries(fieldNames.map((name) => [name, 'null']))), [
    'NULL paymentId',
    'NULL customerId',
    'NULL terminalId',
    'NULL amount',
    'NULL fraud',
    'NULL at',
  ]),
  refused('an envelope around the event', `{"metadata":{"event_id":"p1"},"payload":${event()}}`, [
    'MISSING paymentId',
    'MISSING customerId',
    'MISSING terminalId',
    'MISSING amount',
    'MISSING fraud',
    'MISSING at',
  ]),
]

export const poison: readonly Poison[] = [
  accepted('a plain event', event(), {
    paymentId: 'p1',
    customerId: 7,
    terminalId: 9,
    amount: 5_716,
    fraud: false,
    at: noonMs,
    note: null,
  }),
  ...size,
  ...encoding,
  ...depth,
  ...json,
  ...shape,
  ...absent,
  ...types,
  ...numbers,
  ...times,
  ...names,
  ...strings,
  ...several,
]
