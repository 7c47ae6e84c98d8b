// Goal: of a raw event about a forgotten entity nothing stays that names it, and every stream that reads it judges it as
// before. Method: single records, with streams and entities that get in each other's way.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventEraser } from '../../../src/app/compact/event-eraser.ts'
import { topicReaders } from '../../../src/app/compact/event-readers.ts'
import { compilePlan } from '../../../src/app/load-plan.ts'
import { murmur2 } from '../../../src/base/murmur2.ts'
import type { Definition } from '../../../src/definition/definition.ts'
import { boolean, decimal, entity, featureView, float, int, stream, string, timestamp } from '../../../src/index.ts'
import type { Header, LogRecord } from '../../../src/log/log.ts'
import { erasureHeader, readErasure } from '../../../src/plan/erasure.ts'
import { Forgotten, forgottenKey } from '../../../src/plan/forgotten.ts'
import { type Inspected, inspect } from '../../../src/plan/intake.ts'
import { standInHeader } from '../../../src/plan/open-rejections.ts'
import { encodeKey } from '../../../src/schema/key-codec.ts'
import type { FieldKind } from '../../../src/schema/field.ts'

const at = Date.UTC(2024, 5, 1)
const events = stream('events', {
  fields: {
    id: string(),
    customer: string().at('who.ref'),
    payee: string().optional(),
    shop: int().optional(),
    amount: decimal(2).optional(),
    at: timestamp('ms'),
  },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const person = entity('person', { ref: string() })
const shop = entity('shop', { shop: int() })
const pair = entity('pair', { ref: string(), shop: int() })
const payer = featureView('payer', {
  from: events,
  by: person,
  keys: { ref: 'customer' },
  features: (on) => ({ n: on.count({ over: 'lifetime' }) }),
})
const payees = featureView('payees', {
  from: events,
  by: person,
  keys: { ref: 'payee' },
  features: (on) => ({ n: on.count({ over: 'lifetime' }) }),
})
const shops = featureView('shops', {
  from: events,
  by: shop,
  features: (on) => ({ n: on.count({ over: 'lifetime' }) }),
})
const pairs = featureView('pairs', {
  from: events,
  by: pair,
  keys: { ref: 'customer' },
  features: (on) => ({ n: on.count({ over: 'lifetime' }) }),
})

type Key = readonly [entity: string, kinds: readonly FieldKind[], values: readonly (string | number)[]]

function eraserOf(definitions: readonly Definition[], keys: readonly Key[], older: readonly Definition[] = []) {
  const plan = compilePlan(definitions)
  const plans = older.length === 0 ? [plan] : [plan, compilePlan(older)]
  const forgotten = new Forgotten()
  for (const [name, kinds, values] of keys) {
    const key = forgottenKey(encodeKey(kinds, values))
    forgotten.add({ version: 1, entity: name, key, prefix: { events: [10] }, at: '2024-06-01T00:00:00Z' })
  }
  const eraser = new EventEraser(forgotten, topicReaders(plan, plans))
  const erase = (record: LogRecord) => eraser.erase(record, { topic: 'events', partition: 0, offset: record.offset })
  return { eraser, erase, streams: plans.flatMap(({ streams }) => streams) }
}

const ada: Key = ['person', ['string'], ['ada']]

function recordOf(
  value: unknown,
  { offset = 0, headers = [] }: { offset?: number; headers?: Header[] } = {},
): LogRecord {
  const bytes =
    value instanceof Uint8Array ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  return { offset, timestampMs: at, key: Buffer.from('ada'), value: bytes, headers }
}

function parsed(value: Uint8Array | null): unknown {
  return JSON.parse(Buffer.from(value!).toString())
}

describe('an event of a forgotten entity', () => {
  test('keeps what streams declare, and loses everything else', () => {
    const { erase } = eraserOf([payer], [ada])
    const record = recordOf(
      { id: 'a', who: { ref: 'ada', mail: 'ada@example.org' }, amount: 1.5, at, note: 'by ada', shop: null },
      {
        headers: [
          ['trace', Buffer.from('ada')],
          [standInHeader, Buffer.from('3')],
        ],
      },
    )
    const erased = erase(record)
    assert.ok(typeof erased === 'object')
    const { ref } = (parsed(erased.value) as { who: { ref: string } }).who
    assert.match(ref, /^forgotten-/)
    assert.deepEqual(parsed(erased.value), { id: 'a', who: { ref }, amount: 1.5, at, shop: null })
    assert.equal(erased.key, null)
    assert.deepEqual(
      erased.headers!.map(([name]) => name),
      [standInHeader, erasureHeader],
    )
    const hash = murmur2(record.value!)
    assert.deepEqual(readErasure(erased.headers!), { keys: [{ entity: 'person', paths: ['who.ref'] }], hash })
  })

  test('at or after the forgotten prefix stays, and so does one of somebody else', () => {
    const { erase } = eraserOf([payer], [ada])
    assert.equal(erase(recordOf({ id: 'a', who: { ref: 'ada' }, at }, { offset: 10 })), 'nothing')
    assert.equal(erase(recordOf({ id: 'a', who: { ref: 'bob' }, at })), 'nothing')
    assert.equal(erase(recordOf({ id: 'a', who: { ref: 'forgotten-ada' }, at })), 'nothing')
  })

  test('says by which of its columns it was about it', () => {
    const { erase } = eraserOf([payer, payees], [ada])
    for (const [who, payee, paths] of [
      ['ada', 'bob', [['who.ref']]],
      ['bob', 'ada', [['payee']]],
      ['ada', 'ada', [['who.ref'], ['payee']]],
    ] as const) {
      const erased = erase(recordOf({ id: 'a', who: { ref: who }, payee, at }))
      assert.ok(typeof erased === 'object')
      assert.deepEqual(
        readErasure(erased.headers!)!.keys.map((key) => key.paths),
        paths,
      )
      const found = parsed(erased.value) as { who: { ref: string }; payee: string }
      assert.equal(found.who.ref === 'bob', who === 'bob')
      assert.equal(found.payee === 'bob', payee === 'bob')
    }
  })

  test('that was erased for another entity before is erased for both', () => {
    const bob: Key = ['person', ['string'], ['bob']]
    const record = recordOf({ id: 'a', who: { ref: 'ada' }, payee: 'bob', at })
    const first = eraserOf([payer, payees], [ada]).erase(record)
    assert.ok(typeof first === 'object')
    const { erase } = eraserOf([payer, payees], [ada, bob])
    const second = erase({ ...record, ...first, headers: first.headers! })
    assert.ok(typeof second === 'object')
    const both = erase(record)
    assert.deepEqual(second, both)
    assert.equal(erase({ ...record, ...second, headers: second.headers! }), 'nothing')
  })

  test('of a pair keeps the halves that were not forgotten, and loses those that were', () => {
    const both: Key = ['pair', ['string', 'int'], ['ada', 3]]
    const record = recordOf({ id: 'a', who: { ref: 'ada' }, shop: 3, at })
    const values = (keys: readonly Key[], definitions: readonly Definition[]): unknown[] => {
      const { erase, eraser } = eraserOf(definitions, keys)
      const erased = erase(record)
      assert.ok(typeof erased === 'object')
      const { who, shop: number } = parsed(erased.value) as { who: { ref: string }; shop: number }
      return [who.ref === 'ada', number === 3, [...eraser.kept.keys()]]
    }
    assert.deepEqual(values([both], [pairs]), [false, false, []])
    assert.deepEqual(values([both], [pairs, shops]), [false, true, ['shop of pair']])
    assert.deepEqual(values([both], [pairs, shops, payer]), [true, true, ['who.ref of pair', 'shop of pair']])
    assert.deepEqual(values([both, ada], [pairs, shops, payer]), [false, true, ['shop of pair']])
    assert.deepEqual(values([ada], [pairs, shops, payer]), [false, true, []])
  })

  test('keeps a key that is its id, and says so', () => {
    const own = entity('event', { id: string() })
    const views = featureView('own', {
      from: events,
      by: own,
      features: (on) => ({ n: on.count({ over: 'lifetime' }) }),
    })
    const { erase, eraser } = eraserOf([views], [['event', ['string'], ['a']]])
    const erased = erase(recordOf({ id: 'a', who: { ref: 'ada' }, at, note: 1 }))
    assert.ok(typeof erased === 'object')
    assert.deepEqual(parsed(erased.value), { id: 'a', who: { ref: 'ada' }, at })
    assert.deepEqual([...eraser.kept.keys()], ['id of event'])
    assert.equal(erase({ ...recordOf(''), ...erased, headers: erased.headers! }), 'nothing')
  })

  test('keeps a key that is a boolean or an instant, and counts as forgotten all the same', () => {
    const flags = stream('events', {
      fields: { id: string(), flag: boolean(), at: timestamp('ms') },
      time: 'at',
      id: 'id',
      lateness: '1h',
    })
    const flag = entity('flag', { flag: boolean() })
    const views = featureView('flags', {
      from: flags,
      by: flag,
      features: (on) => ({ n: on.count({ over: 'lifetime' }) }),
    })
    const { erase } = eraserOf([views], [['flag', ['boolean'], [true as never]]])
    const erased = erase(recordOf({ id: 'a', flag: true, at, note: 1 }))
    assert.ok(typeof erased === 'object')
    assert.deepEqual(parsed(erased.value), { id: 'a', flag: true, at })
    assert.equal(erase({ ...recordOf(''), ...erased, headers: erased.headers! }), 'nothing')
  })
})

describe('a refused event of a forgotten entity', () => {
  test('becomes nothing, whatever type its key has, and is refused as before', () => {
    const { erase, streams } = eraserOf([payer, shops], [ada, ['shop', ['int'], [7]]])
    for (const refused of [
      { id: 'a', who: { ref: 'ada' }, amount: 'much', at },
      { id: 'a', who: { ref: 'ada' } },
      { id: 'a', who: { ref: 'bob' }, shop: '7', at },
      { id: 5, who: { ref: 'bob' }, shop: 7, at },
      Buffer.concat([
        Buffer.from(`{"id":"a","x":"`),
        Buffer.from([0xff]),
        Buffer.from(`","who":{"ref":"ada"},"at":${at}}`),
      ]),
      `{"id":"a","who":{"ref":"ada"},"at":${at},"x":${'['.repeat(100)}${']'.repeat(100)}}`,
      `\ufeff{"id":"a","who":{"ref":"ada"},"at":${at}}`,
    ]) {
      const record = recordOf(refused)
      assert.ok('refusals' in inspect(streams[0]!, record))
      const erased = erase(record)
      assert.ok(typeof erased === 'object', JSON.stringify(refused))
      assert.equal(erased.value, null)
      assert.ok('refusals' in inspect(streams[0]!, { timestampMs: at, value: erased.value }))
    }
  })

  test('that is no JSON object cannot be searched', () => {
    const { erase } = eraserOf([payer], [ada])
    for (const text of ['{"who":{"ref":"ada"', '[{"who":{"ref":"ada"}}]', '"ada"', '', 'ada']) {
      assert.equal(erase(recordOf(text)), 'unsearchable')
    }
    assert.equal(erase({ ...recordOf(''), value: null }), 'nothing')
  })

  test('stays what it is to each of the streams that read one topic', () => {
    const other = stream('others', {
      topic: 'events',
      fields: {
        who: string().optional(),
        amount: float().optional(),
        payee: string().at('payee.ref').optional(),
        at: timestamp('ms'),
      },
      time: 'at',
      lateness: '1h',
    })
    const others = featureView('others_view', {
      from: other,
      by: person,
      keys: { ref: 'who' },
      features: (on) => ({ n: on.count({ over: 'lifetime' }) }),
    })
    const ratio = stream('ratios', {
      topic: 'events',
      fields: { ref: string().at('who.ref'), ratio: float().optional(), at: timestamp('ms') },
      time: 'at',
      lateness: '1h',
    })
    const ratios = featureView('ratios_view', {
      from: ratio,
      by: person,
      features: (on) => ({ n: on.count({ over: 'lifetime' }) }),
    })
    const { erase, streams } = eraserOf([payer], [ada], [others, ratios])
    const cases: unknown[] = [
      { id: 'a', who: { ref: 'ada', deep: [1] }, at },
      { id: 'a', who: 'ada', at },
      { who: 'ada', at, amount: { of: 'ada' } },
      { who: 'ada', at, payee: 'ada' },
      { who: 'ada', at, payee: ['ada'] },
      { id: 'a', who: { ref: 'ada' }, at, payee: 'bob', amount: 1.23456 },
      `{"id":"a","who":{"ref":"ada"},"at":${at},"payee":"bob","amount":1e999}`,
      `{"who":"ada","at":${at},"amount":1e999}`,
      `{"id":"a","who":{"ref":"ada"},"at":${at},"ratio":1e999}`,
      `{"id":"a","who":{"ref":"ada"},"at":${at},"ratio":1.5}`,
      `{"who":"ada","at":${at},"__proto__":{"ref":"ada"}}`,
    ]
    for (const value of cases) {
      const record = recordOf(value)
      const erased = erase(record)
      assert.ok(typeof erased === 'object', JSON.stringify(value))
      assert.ok(erased.value === null || !Buffer.from(erased.value).includes('"ada"'))
      for (const one of streams) {
        const judge = (raw: Uint8Array | null): Inspected => inspect(one, { timestampMs: at, value: raw })
        const before = judge(record.value)
        const after = judge(erased.value)
        assert.equal('row' in before, 'row' in after, `${one.name} ${JSON.stringify(value)}`)
        if ('row' in before && 'row' in after) assert.equal(before.ts, after.ts)
      }
    }
  })
})
