// Goal: a stream in Avro gives the same verdicts and values on the stream, in training, in explanations and when the
// state is rebuilt, whether the registry answers, is down, or learns of a schema later; and a registry that is down
// refuses no record.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { letters } from '../../../src/app/dead-letters.ts'
import { explainFromLog } from '../../../src/app/inspect-folder.ts'
import { type Mill, millrace } from '../../../src/app/mill.ts'
import { readableEvent } from '../../../src/app/schemas/readable-event.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { MillraceError } from '../../../src/base/faults.ts'
import { openReadOnlyLog } from '../../../src/index.ts'
import { writerSchemasTopic } from '../../../src/plan/topics.ts'
import { confluent, framed, type Payment, registeredSchema, spendingFrom } from './avro-stream.ts'
import { type RegistryServer, startRegistry } from './registry-server.ts'

const nowMs = Date.now()
const payment = (id: string, cents: number, customer = 7): Payment => ({ id, customer, cents, atMs: nowMs - 1_000 })

async function withRegistry(use: (registry: RegistryServer, folder: string) => Promise<void>): Promise<void> {
  const registry = await startRegistry()
  const folder = await mkdtemp(join(tmpdir(), 'millrace-avro-'))
  registry.schemas.set('1', { schema: registeredSchema })
  try {
    await use(registry, folder)
  } finally {
    await registry.close()
    await rm(folder, { recursive: true })
  }
}

/** Long enough for a busy machine; and for whoever is to find nobody there. */
const patient = { patienceMs: 60_000, answerMs: 20_000 }
const impatient = { patienceMs: 300, answerMs: 200 }

async function open(t: TestContext, url: string, folder: string, patience = patient): Promise<Mill> {
  const { service } = spendingFrom(url)
  const schemas = { patience, askAgainMs: 0, environment: {} }
  const mill = await millrace({ definitions: [service], folder, partitions: 1, checkpointMs: 100_000, schemas })
  t.after(() => mill.close().catch(() => undefined))
  return mill
}

/** As a producer that knows nothing of us. */
async function produce(mill: Mill, ...values: readonly Buffer[]): Promise<void> {
  const records = values.map((value) => ({ key: null, value, timestampMs: nowMs }))
  await mill.log.append('payments', 0, records)
}

const valuesOf = (mill: Mill): readonly unknown[] => mill.read('shop', { customerId: 7 }, { asOf: nowMs }).values

function countsOf(mill: Mill) {
  const { accepted, duplicate, late, refused } = mill.counts.sources[0]!
  return { accepted, duplicate, late, refused }
}

async function reasonsOf(mill: Mill): Promise<string[]> {
  await mill.engine.checkpoint()
  const all = await Array.fromAsync(letters(mill.log, { kind: 'refused' }, { clock: systemClock }))
  return all.map(({ detail }) =>
    (detail as { code: string; path: string }[]).map(({ code, path }) => `${path} ${code}`).join(),
  )
}

async function explained(folder: string, url: string): Promise<unknown> {
  const { service } = spendingFrom(url)
  const { compile } = await import('../../../src/index.ts')
  const log = await openReadOnlyLog(folder)
  try {
    const request = { plan: compile([service]), log, view: 'spending', feature: 'spent', keys: { customerId: 7 } }
    const { value, history } = await explainFromLog({ ...request, asOf: nowMs })
    const { accepted, duplicate, late, refused } = history
    return { value, accepted, duplicate, late, refused }
  } finally {
    await log.close()
  }
}

test('Avro with a registry is read beside JSON, and what its numbers mean is kept in the log', async (t) => {
  await withRegistry(async (registry, folder) => {
    const mill = await open(t, registry.url, folder)
    const { payments } = spendingFrom(registry.url)
    await produce(mill, confluent(1, payment('a', 1_050)), confluent(1, payment('b', -50), 'Zoë'))
    await produce(mill, confluent(1, payment('a', 1_050)))
    await mill.send(payments, { paymentId: 'c', customerId: 7, amount: '2.25', at: (nowMs - 500) * 1000, note: 'Zoë' })
    await mill.caughtUp()
    assert.deepEqual(countsOf(mill), { accepted: 3, duplicate: 1, late: 0, refused: 0 })
    assert.deepEqual(valuesOf(mill), [3, 12.25, 1])
    assert.deepEqual(registry.asked, ['/schemas/ids/1'])
    await mill.close()

    // From here on without the registry: the log knows.
    registry.trouble = 'silence'
    assert.deepEqual(await explained(folder, registry.url), {
      value: 12.25,
      accepted: 3,
      duplicate: 1,
      late: 0,
      refused: 0,
    })
    await rm(join(folder, 'store'), { recursive: true })
    const again = await open(t, registry.url, folder)
    await again.caughtUp()
    assert.deepEqual(countsOf(again), { accepted: 3, duplicate: 1, late: 0, refused: 0 })
    assert.deepEqual(valuesOf(again), [3, 12.25, 1])
    assert.deepEqual(registry.asked, ['/schemas/ids/1'])
  })
})

test('bytes that are not what their schema says are dead letters with the path, and the others go on', async (t) => {
  await withRegistry(async (registry, folder) => {
    const mill = await open(t, registry.url, folder)
    const good = confluent(1, payment('a', 100))
    registry.schemas.set('4', { schema: '"string"' })
    registry.schemas.set('5', { schema: '{"type":"object"}', schemaType: 'JSON' })
    const body = good.subarray(5)
    await produce(
      mill,
      good.subarray(0, good.length - 1),
      Buffer.concat([good, Buffer.alloc(1)]),
      good.subarray(0, 3),
      framed(4, Buffer.from([2, 65])),
      framed(5, body),
      framed(1, Buffer.from([2, 65, 18])),
      good,
    )
    await mill.caughtUp()
    assert.deepEqual(countsOf(mill), { accepted: 1, duplicate: 0, late: 0, refused: 6 })
    assert.deepEqual(await reasonsOf(mill), [
      'at AVRO',
      ' AVRO',
      ' AVRO',
      ' TYPE, TYPE, TYPE, TYPE, TYPE',
      ' SCHEMA',
      'note AVRO',
    ])
    // What a schema can read is shown, whatever the fields say to it.
    const all = await Array.fromAsync(letters(mill.log, { kind: 'refused' }, { clock: systemClock }))
    const shown = await Promise.all(all.map((letter) => readableEvent(mill.log, letter)))
    assert.deepEqual(shown, [null, null, null, 'A', null, null])
  })
})

test('an unknown number refuses the records up to when it becomes known, for ever and wherever they are read', async (t) => {
  await withRegistry(async (registry, folder) => {
    const mill = await open(t, registry.url, folder)
    await produce(
      mill,
      confluent(1, payment('a', 100)),
      confluent(2, payment('b', 200)),
      confluent(2, payment('c', 300)),
    )
    await mill.caughtUp()
    assert.deepEqual(countsOf(mill), { accepted: 1, duplicate: 0, late: 0, refused: 2 })
    assert.deepEqual(await reasonsOf(mill), [' SCHEMA', ' SCHEMA'])

    registry.schemas.set('2', { schema: registeredSchema })
    await produce(mill, confluent(2, payment('d', 400)))
    await mill.caughtUp()
    const counts = { accepted: 2, duplicate: 0, late: 0, refused: 2 }
    assert.deepEqual(countsOf(mill), counts)
    assert.deepEqual(valuesOf(mill), [2, 5, 0])
    assert.deepEqual(await explained(folder, registry.url), { value: 5, ...counts })

    // What was refused comes in by a replay, which is a record of its own.
    const { results } = await mill.replays.replay({
      kind: 'refused',
      target: { all: { countMax: 10, from: { partition: 0, offset: 0 } } },
    })
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['sent', 'sent'],
    )
    await mill.caughtUp()
    assert.deepEqual(valuesOf(mill), [4, 10, 0])
    await mill.close()

    registry.trouble = 'silence'
    await rm(join(folder, 'store'), { recursive: true })
    const again = await open(t, registry.url, folder)
    await again.caughtUp()
    assert.deepEqual(countsOf(again), { accepted: 4, duplicate: 0, late: 0, refused: 2 })
    assert.deepEqual(valuesOf(again), [4, 10, 0])
  })
})

test('a registry that is down, or answers something else, stops the partition and refuses nothing', async (t) => {
  await withRegistry(async (registry, folder) => {
    const troubles = [
      ['silence', 'SCHEMA_REGISTRY_UNREACHABLE'],
      [{ status: 503, body: 'starting' }, 'SCHEMA_REGISTRY_UNREACHABLE'],
      [{ status: 500, body: '{"error_code":50001,"message":"store"}' }, 'SCHEMA_REGISTRY_UNREACHABLE'],
      [{ status: 401, body: '{"error_code":401,"message":"Unauthorized"}' }, 'SCHEMA_REGISTRY_REFUSED'],
      // Of a proxy, or of another server: it says nothing of the number.
      [{ status: 404, body: '<html>not here</html>' }, 'SCHEMA_REGISTRY_REFUSED'],
      [{ status: 200, body: 'no JSON' }, 'SCHEMA_REGISTRY_REFUSED'],
    ] as const
    registry.trouble = 'silence'
    const first = await open(t, registry.url, folder, impatient)
    await produce(first, confluent(1, payment('a', 100)))
    await first.close()
    for (const [trouble, code] of troubles) {
      registry.trouble = trouble
      const mill = await open(t, registry.url, folder, impatient)
      await assert.rejects(mill.caughtUp(), { code: 'PARTITION_HALTED' }, JSON.stringify(trouble))
      assert.deepEqual(countsOf(mill), { accepted: 0, duplicate: 0, late: 0, refused: 0 })
      const { fault } = mill.engine.halted[0]!
      assert.ok(fault instanceof MillraceError && fault.code === code, `${JSON.stringify(trouble)}: ${fault.message}`)
      assert.ok(!mill.log.topics().some(({ topic }) => topic === writerSchemasTopic), 'nothing is noted')
      await mill.close()
    }
    registry.trouble = null
    const mill = await open(t, registry.url, folder)
    await mill.caughtUp()
    assert.deepEqual(countsOf(mill), { accepted: 1, duplicate: 0, late: 0, refused: 0 })
  })
})
