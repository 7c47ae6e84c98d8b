import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { entity, featureView, float, int, millrace, stream, string, timestamp } from '../../src/index.ts'
import { registryTopic } from '../../src/plan/topics.ts'

const events = stream('events', {
  fields: { id: string(), user: int(), at: timestamp('ms').at('when.exactly'), note: string().optional() },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const user = entity('user', { user: int() })
const activity = featureView('activity', {
  from: events,
  by: user,
  features: (on) => ({ count_1h: on.count({ over: '1h' }), last_note: on.last('note', { over: 'lifetime' }) }),
})
const atMs = Date.UTC(2026, 0, 1, 12)

async function withMill(use: (mill: Awaited<ReturnType<typeof millrace>>) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-mill-'))
  const mill = await millrace({ definitions: [activity], folder })
  try {
    await use(mill)
  } finally {
    await mill.close()
    await rm(folder, { recursive: true })
  }
}

test('sends flat events to the paths that the stream reads, and reads them back typed', async () => {
  await withMill(async (mill) => {
    await mill.send(events, { id: 'a', user: 1, at: atMs, note: 'hello' })
    await mill.caughtUp()
    const vector = await mill.get(activity, { user: 1 }, { asOf: atMs + 1 })
    assert.deepEqual(vector, { count_1h: 1, last_note: 'hello' })
  })
})

test('refuses a malformed event by name, and keeps the others of the call', async () => {
  await withMill(async (mill) => {
    const sent = mill.send(events, [
      { id: 'a', user: 1, at: atMs },
      { id: 'b', user: 1.5, at: atMs },
    ])
    await assert.rejects(sent, { code: 'EVENT_REFUSED', message: /number 1: .*user.*RANGE/ })
    await mill.caughtUp()
    assert.equal((await mill.get(activity, { user: 1 }, { asOf: atMs + 1 })).count_1h, 1)
  })
})

test('a number that JSON would turn into null is refused, and nothing of the call is sent', async () => {
  const readings = stream('readings', {
    fields: { id: string(), user: int(), level: float().optional(), at: timestamp('ms') },
    time: 'at',
    id: 'id',
    lateness: '1h',
  })
  const levels = featureView('levels', {
    from: readings,
    by: user,
    features: (on) => ({ readings_1h: on.count({ over: '1h' }) }),
  })
  const folder = await mkdtemp(join(tmpdir(), 'millrace-mill-'))
  const mill = await millrace({ definitions: [levels], folder })
  try {
    for (const level of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const event = { id: 'b', user: 1, level, at: atMs }
      const fault = { code: 'REQUEST_MALFORMED', message: new RegExp(`"level" .*"readings" is ${level}$`, 'm') }
      await assert.rejects(mill.send(readings, [{ id: 'a', user: 1, at: atMs }, event]), fault)
      await assert.rejects(mill.get(levels, { user: 1 }, { with: { stream: readings, event } }), fault)
    }
    await mill.caughtUp()
    assert.equal((await mill.get(levels, { user: 1 }, { asOf: atMs + 1 })).readings_1h, 0)
  } finally {
    await mill.close()
    await rm(folder, { recursive: true })
  }
})

test('two values for one place of an event are refused, and nothing of the call is sent', async () => {
  const nested = stream('nested', {
    fields: {
      user: int(),
      at: timestamp('ms'),
      plain: int().optional(),
      whole: string().at('part').optional(),
      same: int().at('plain').optional(),
      inside: int().at('part.inside').optional(),
    },
    time: 'at',
    lateness: '1h',
  })
  const counted = featureView('counted', {
    from: nested,
    by: user,
    features: (on) => ({ count_1h: on.count({ over: '1h' }), plain: on.last('plain', { over: '1h' }) }),
  })
  const folder = await mkdtemp(join(tmpdir(), 'millrace-mill-'))
  const mill = await millrace({ definitions: [counted], folder })
  try {
    const good = { user: 1, at: atMs }
    for (const [event, names, path] of [
      [{ ...good, plain: 1, same: 2 }, ['plain', 'same'], 'plain'],
      [{ ...good, plain: 1, same: null }, ['plain', 'same'], 'plain'],
      [{ ...good, whole: 'x', inside: 1 }, ['whole', 'inside'], 'part.inside'],
      [{ ...good, inside: 1, whole: 'x' }, ['inside', 'whole'], 'part'],
    ] as const) {
      const message = `the request is refused: fields "${names[0]}" and "${names[1]}" of an event for stream "nested" meet at "${path}"`
      await assert.rejects(mill.send(nested, [good, event]), { code: 'REQUEST_MALFORMED', message })
    }
    await mill.send(nested, { ...good, plain: 3, same: 3 })
    await mill.caughtUp()
    assert.deepEqual(await mill.get(counted, { user: 1 }, { asOf: atMs + 1 }), { count_1h: 1, plain: 3 })
  } finally {
    await mill.close()
    await rm(folder, { recursive: true })
  }
})

test('appends nothing of a call with an event that no record can hold', async () => {
  await withMill(async (mill) => {
    const small = Buffer.from(JSON.stringify({ id: 'a', user: 1, when: { exactly: atMs } }))
    const large = Buffer.alloc(1024 * 1024 + 1, 0x20)
    await assert.rejects(mill.ingest('events', [small, large]), { code: 'LOG_RECORD_TOO_LARGE' })
    assert.deepEqual(
      mill.log
        .topics()
        .filter(({ topic }) => topic !== registryTopic)
        .flatMap(({ topic, partitions }) =>
          Array.from({ length: partitions }, (_, partition) => mill.log.end(topic, partition)),
        )
        .filter((end) => end > 0),
      [],
    )
  })
})

test('takes an event of just the largest size', async () => {
  await withMill(async (mill) => {
    const event = JSON.stringify({ id: 'a', user: 1, when: { exactly: atMs } })
    const body = Buffer.from(event.padEnd(1024 * 1024, ' '))
    assert.deepEqual((await mill.ingest('events', [body]))[0]!.refusals, [])
  })
})
