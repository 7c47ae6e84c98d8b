// Goal: our reader finds in Avro bytes what another implementation wrote into them, whatever else the schema holds, and
// never does anything but refuse what is no such event.
// Method: random schemas with random values, written by avsc; some leaves are declared as fields. Then bytes are cut,
// flipped and made up: what avsc would write again to the byte must be read, and everything else must come back at once.
// SEED=n replays one seed; each failure prints it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import avsc from 'avsc'
import type { AvroReader } from '../../../src/schema/avro/avro-reader.ts'
import type { Decoded } from '../../../src/schema/decode.ts'
import { boolean, type Field, float, int, string } from '../../../src/schema/field.ts'
import { type AvroSchema, readerOf } from './read.ts'

const seed = Number(process.env['SEED'] ?? 20_260_601)

/** xorshift: the same numbers for the same seed. */
function randomOf(start: number): (below: number) => number {
  let state = start | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

type Random = ReturnType<typeof randomOf>
type Leaf = { readonly path: string; readonly kind: 'string' | 'int' | 'float' | 'boolean'; readonly optional: boolean }
/** A schema, a value of it, and what its leaves are. */
type Made = { readonly schema: unknown; readonly value: (random: Random) => unknown }

let names = 0

function makeType(random: Random, path: string, leaves: Leaf[] | null, depth: number, optional = false): Made {
  const leaf = (kind: Leaf['kind']): void => void leaves?.push({ path, kind, optional })
  const text = (): string => ['', 'a', 'Zoë', 'x'.repeat(random(200)), '🐟🐟'][random(5)]!
  switch (random(depth > 3 ? 7 : 11)) {
    case 0:
      leaf('string')
      return { schema: 'string', value: text }
    case 1:
      leaf('int')
      return {
        schema: 'long',
        value: () => (random(2) === 0 ? random(200) - 100 : (random(2 ** 31) - 2 ** 30) * 2 ** 20),
      }
    case 2:
      leaf('int')
      return { schema: 'int', value: () => random(2 ** 31) - 2 ** 30 }
    case 3:
      leaf('float')
      return { schema: 'double', value: () => (random(2 ** 31) - 2 ** 30) / 7 }
    case 4:
      leaf('boolean')
      return { schema: 'boolean', value: () => random(2) === 0 }
    case 5: {
      leaf('string')
      return {
        schema: { type: 'enum', name: `E${names++}`, symbols: ['A', 'BB', 'CCC'] },
        value: () => ['A', 'BB', 'CCC'][random(3)],
      }
    }
    case 6: {
      // Never 0: the other implementation would make as many of them as the bytes claim.
      const size = 1 + random(20)
      return { schema: { type: 'fixed', name: `F${names++}`, size }, value: () => Buffer.alloc(size, 7) }
    }
    case 7: {
      const items = makeType(random, path, null, depth + 1)
      return {
        schema: { type: 'array', items: items.schema },
        value: (of) => Array.from({ length: of(4) }, () => items.value(of)),
      }
    }
    case 8: {
      const values = makeType(random, path, null, depth + 1)
      return {
        schema: { type: 'map', values: values.schema },
        value: (of) => Object.fromEntries(Array.from({ length: of(4) }, (_, index) => [`k${index}`, values.value(of)])),
      }
    }
    case 9: {
      const inner = makeType(random, path, leaves, 4, true)
      return { schema: ['null', inner.schema], value: (of) => (of(3) === 0 ? null : inner.value(of)) }
    }
    default:
      return makeRecord(random, path, leaves, depth, optional)
  }
}

function makeRecord(random: Random, path: string, leaves: Leaf[] | null, depth: number, optional = false): Made {
  const count = 1 + random(5)
  const fields = Array.from({ length: count }, (_, index) => {
    const name = `f${index}`
    return { name, made: makeType(random, path === '' ? name : `${path}.${name}`, leaves, depth + 1, optional) }
  })
  return {
    schema: {
      type: 'record',
      name: `R${names++}`,
      fields: fields.map(({ name, made }) => ({ name, type: made.schema })),
    },
    value: (of) => Object.fromEntries(fields.map(({ name, made }) => [name, made.value(of)])),
  }
}

function valueAt(value: unknown, path: string): unknown {
  let at = value
  for (const step of path.split('.')) {
    if (at === null) return null
    at = (at as Record<string, unknown>)[step]
  }
  return at
}

type Case = {
  readonly reader: AvroReader
  readonly type: avsc.Type
  readonly leaves: readonly Leaf[]
  readonly made: Made
}

function makeCase(random: Random): Case | null {
  const leaves: Leaf[] = []
  const made = makeRecord(random, '', leaves, 0)
  const declared = leaves.filter(() => random(3) > 0)
  if (declared.length === 0) return null
  const kinds = { string, int, float, boolean }
  const fields = Object.fromEntries(
    declared.map(({ path, kind, optional }, index): [string, Field] => {
      const field = (kinds[kind]() as Field).at(path)
      return [`field${index}`, optional ? field.optional() : field]
    }),
  )
  const schema = made.schema as AvroSchema
  return {
    reader: readerOf(schema, fields),
    type: avsc.Type.forSchema(schema, { wrapUnions: false }),
    leaves: declared,
    made,
  }
}

test('what another implementation writes is read back, value by value', () => {
  const random = randomOf(seed)
  let events = 0
  for (let round = 0; round < 400; round++) {
    const one = makeCase(random)
    if (one === null) continue
    for (let event = 0; event < 10; event++) {
      const value = one.made.value(random)
      const decoded: Decoded = one.reader.decode(one.type.toBuffer(value), 0)
      const expected: unknown = one.leaves.map(({ path }) => valueAt(value, path))
      assert.deepEqual('row' in decoded ? decoded.row : decoded.refusals, expected, `SEED=${seed} round ${round}`)
      events += 1
    }
  }
  assert.ok(events > 2_000, `${events} events`)
})

test('bytes that are cut, changed or made up are refused, or are what another implementation reads too', () => {
  const random = randomOf(seed + 1)
  const counts = { read: 0, refused: 0, compared: 0 }
  for (let round = 0; round < 300; round++) {
    const one = makeCase(random)
    if (one === null) continue
    for (let event = 0; event < 20; event++) {
      const bytes = hurt(one.type.toBuffer(one.made.value(random)), random)
      const decoded: Decoded = one.reader.decode(bytes, 0)
      assert.deepEqual(one.reader.decode(bytes, 0), decoded, 'the same bytes, the same verdict')
      counts['row' in decoded ? 'read' : 'refused'] += 1
      const value = readElsewhere(one.type, bytes)
      if (value === undefined) continue
      // Written again to the byte: it is the one way to write this value, and so it must be read.
      const expected: unknown = one.leaves.map(({ path }) => valueAt(value, path))
      assert.deepEqual('row' in decoded ? decoded.row : decoded.refusals, expected, `SEED=${seed} round ${round}`)
      counts.compared += 1
    }
  }
  assert.ok(counts.read > 100 && counts.refused > 1_000 && counts.compared > 100, JSON.stringify(counts))
})

function hurt(bytes: Buffer, random: Random): Buffer {
  const changed = Buffer.from(bytes)
  switch (random(4)) {
    case 0:
      return changed.subarray(0, random(bytes.length + 1))
    case 1:
      return Buffer.concat([changed, Buffer.from([random(256)])])
    case 2:
      for (let index = 0; index < 1 + random(3); index++)
        if (changed.length > 0) changed[random(changed.length)] = random(256)
      return changed
    default:
      return Buffer.from(Array.from({ length: random(60) }, () => random(256)))
  }
}

function readElsewhere(type: avsc.Type, bytes: Buffer): unknown {
  // It makes as many items as the bytes claim, also when none are left: 2^50 of them, in eight bytes.
  if (/"(array|map)"/.test(JSON.stringify(type.schema()))) return undefined
  try {
    const value: unknown = type.fromBuffer(bytes)
    return type.toBuffer(value).equals(bytes) ? value : undefined
  } catch {
    return undefined
  }
}
