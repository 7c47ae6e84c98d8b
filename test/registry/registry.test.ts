// Goal: the order of the log decides which version counts, whoever wrote it; what cannot be read is never passed over.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { makeManualClock } from '../../src/base/clock.ts'
import { MillraceError } from '../../src/base/faults.ts'
import { entity, featureService, featureView, int, stream, timestamp } from '../../src/index.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import type { Log } from '../../src/log/log.ts'
import { compile } from '../../src/plan/compile.ts'
import { registryTopic } from '../../src/plan/topics.ts'
import { definitionsToJson } from '../../src/registry/definitions-json.ts'
import type { Compiled } from '../../src/registry/difference.ts'
import { type Proposal, Registry } from '../../src/registry/registry.ts'
import { encodeVersion, type Version } from '../../src/registry/version-record.ts'

async function openLog(t: TestContext): Promise<Log> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-registry-'))
  const log = await openEmbeddedLog({ folder: join(folder, 'log'), clock: makeManualClock(0) })
  t.after(async () => {
    await log.close()
    rmSync(folder, { recursive: true })
  })
  return log
}

const card = entity('card', { card: int() })
const payments = stream('payments', { fields: { card: int(), at: timestamp() }, time: 'at', lateness: '1m' })

/** Definitions that differ from those of any other `days`. */
function make(days: number): Compiled {
  const view = featureView('spending', {
    from: payments,
    by: card,
    features: (on) => ({ n: on.count({ over: `${days}d` }) }),
  })
  const definitions = [featureService('scoring', [view])]
  return { definitions, plan: compile(definitions) }
}

const at = '2026-01-01T00:00:00.000Z'
const propose = (days: number, expected: number, note: string | null = null): Proposal => ({
  ...make(days),
  kind: 'apply',
  expected,
  at,
  note,
})
const open = (log: Log): Promise<Registry> => Registry.open({ log, compile })

test('a log without a registry has no version', async (t) => {
  const log = await openLog(t)
  const registry = await open(log)
  assert.deepEqual([registry.versions, registry.applied, registry.number], [[], null, 0])
  assert.deepEqual(log.topics(), [], 'looking changes nothing')
  assert.throws(() => registry.version(1), { code: 'REGISTRY_NUMBER_UNKNOWN' })
})

test('versions are read back as they were applied', async (t) => {
  const log = await openLog(t)
  const registry = await open(log)
  await registry.append(propose(1, 0, 'the first'))
  await registry.append(propose(2, 1))
  const third = await registry.append({ ...propose(1, 2), kind: 'rollback' })
  assert.deepEqual([third.number, third.previous, third.kind], [3, 2, 'rollback'])
  const again = await open(log)
  assert.deepEqual(again.versions, registry.versions)
  assert.deepEqual(
    again.versions.map(({ number, kind, note }) => [number, kind, note]),
    [
      [1, 'apply', 'the first'],
      [2, 'apply', null],
      [3, 'rollback', null],
    ],
  )
  assert.deepEqual(again.version(3).definitions, again.version(1).definitions)
  assert.equal(again.compiled(2).plan.hash, make(2).plan.hash)
  assert.equal(again.planOf(make(2).plan.hash)?.hash, make(2).plan.hash)
  assert.equal(again.planOf('0'.repeat(64)), null)
})

test('a plan that its definitions no longer compile to is not found', async (t) => {
  const log = await openLog(t)
  await (await open(log)).append(propose(1, 0))
  const zones = await Registry.open({ log, compile: () => make(9).plan })
  assert.equal(zones.planOf(make(1).plan.hash), null)
})

test('whoever planned against an older version is told what was applied meanwhile', async (t) => {
  const log = await openLog(t)
  const [one, other] = [await open(log), await open(log)]
  await one.append(propose(1, 0))
  await other.refresh()
  await one.append(propose(2, 1))
  const error = await other.append(propose(3, 1)).then(
    () => assert.fail('it must not be applied'),
    (fault: unknown) => fault,
  )
  assert.ok(error instanceof MillraceError)
  assert.equal(error.code, 'REGISTRY_CONFLICT')
  assert.match(error.message, /version 2 was applied at 2026-01-01T00:00:00.000Z/)
  assert.match(error.message, /changed feature spending\.n: count\(\) over 1d → over 2d/)
  assert.equal(other.number, 2)
  await other.append(propose(3, 2))
  await one.refresh()
  assert.equal(one.number, 3)
  await assert.rejects(one.append(propose(4, 7)), { code: 'REGISTRY_NUMBER_UNKNOWN' })
})

test('of fifty writers of one round one wins, and all agree on which', async (t) => {
  const log = await openLog(t)
  const writers = await Promise.all(Array.from({ length: 50 }, () => open(log)))
  const rounds = Number(process.env['ROUNDS'] ?? 5)
  let days = 1
  const won: number[] = []
  for (let round = 0; round < rounds; round++) {
    // All have seen the same version, and append before any of them reads again.
    await Promise.all(writers.map((writer) => writer.refresh()))
    const outcomes = await Promise.allSettled(
      writers.map((writer) => writer.append(propose((days += 1), round)).then((version) => version.plan)),
    )
    const winners = outcomes.filter(({ status }) => status === 'fulfilled')
    assert.equal(winners.length, 1, `round ${round}`)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.equal((outcome.reason as MillraceError).code, 'REGISTRY_CONFLICT')
    }
    won.push(outcomes.findIndex(({ status }) => status === 'fulfilled'))
  }
  const expected = (await open(log)).versions
  assert.equal(expected.length, rounds)
  assert.ok(log.end(registryTopic, 0) > rounds, 'some appended and lost, or the test has shown nothing')
  for (const writer of writers) {
    await writer.refresh()
    assert.deepEqual(writer.versions, expected)
  }
})

async function appendRaw(log: Log, value: Uint8Array | null): Promise<void> {
  await log.createTopic(registryTopic, { partitions: 1 })
  await log.append(registryTopic, 0, [{ key: null, value, timestampMs: 0 }])
}

const version = (number: number, changes: object = {}): Version => ({
  number,
  previous: number - 1,
  kind: 'apply',
  plan: make(number).plan.hash,
  definitions: definitionsToJson(make(number).definitions),
  at,
  note: null,
  ...changes,
})
const text = (value: unknown): Uint8Array => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const good = JSON.parse(Buffer.from(encodeVersion(version(1))).toString()) as { definitions: { views: object[] } }

const damages: readonly { readonly title: string; readonly value: Uint8Array | null; readonly code?: string }[] = [
  { title: 'no value', value: null },
  { title: 'no bytes', value: text('') },
  { title: 'no JSON', value: text('{"version":1') },
  { title: 'no object', value: text('[1]') },
  { title: 'no version', value: text({ ...good, version: undefined }) },
  { title: 'a version as text', value: text({ ...good, version: '1' }) },
  { title: 'a newer version', value: text({ ...good, version: 2 }), code: 'REGISTRY_VERSION_UNKNOWN' },
  { title: 'a newer version of another shape', value: text({ version: 3 }), code: 'REGISTRY_VERSION_UNKNOWN' },
  { title: 'a number that does not follow', value: encodeVersion(version(1, { number: 5 })) },
  { title: 'a version before it that is not there', value: encodeVersion(version(3)) },
  { title: 'a number that is no whole one', value: encodeVersion(version(1, { number: 1.5, previous: 0.5 })) },
  { title: 'a number below 0', value: encodeVersion(version(1, { number: 0, previous: -1 })) },
  { title: 'an unknown kind', value: encodeVersion(version(1, { kind: 'merge' })) },
  { title: 'a short hash', value: encodeVersion(version(1, { plan: 'abc' })) },
  { title: 'no instant', value: encodeVersion(version(1, { at: 'yesterday' })) },
  { title: 'a note that is a number', value: encodeVersion(version(1, { note: 1 })) },
  { title: 'a member too many', value: text({ ...good, author: 'x' }) },
  { title: 'no definitions', value: encodeVersion(version(1, { definitions: undefined })) },
  { title: 'definitions with a fault', value: text({ ...good, definitions: { ...good.definitions, views: [{}] } }) },
]

for (const { title, value, code = 'REGISTRY_CORRUPT' } of damages) {
  test(`a record with ${title} is a fault, for who opens and for who is there`, async (t) => {
    const log = await openLog(t)
    const running = await open(log)
    await appendRaw(log, value)
    await assert.rejects(open(log), { code })
    await assert.rejects(running.append(propose(1, 0)), { code })
    assert.equal(log.end(registryTopic, 0), 1, 'nothing is appended behind it')
  })
}

test('a record that lost is not a version, and is read all the same', async (t) => {
  const log = await openLog(t)
  await (await open(log)).append(propose(1, 0))
  await appendRaw(log, encodeVersion(version(1, { note: 'too late' })))
  assert.deepEqual(
    (await open(log)).versions.map(({ note }) => note),
    [null],
  )
  await appendRaw(log, text({ ...good, definitions: null }))
  await assert.rejects(open(log), { code: 'REGISTRY_CORRUPT' })
})
