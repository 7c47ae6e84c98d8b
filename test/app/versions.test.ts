// Goal: what is applied is what runs, whatever process starts; a change is seen by readers all at once, and costs no more
// than it must.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { applyInFolder, readVersions } from '../../src/app/apply-in-folder.ts'
import { type Mill, type MillOptions, millrace, openMill } from '../../src/app/mill.ts'
import { registerDefinitions } from '../../src/app/versions.ts'
import { MillraceError } from '../../src/base/faults.ts'
import { entity, featureService, featureView, int, stream, string, timestamp } from '../../src/index.ts'
import { differenceLines } from '../../src/registry/difference.ts'

const card = entity('card', { card: int() })
const payments = stream('payments', {
  fields: { id: string(), card: int(), amount: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '30d',
})
const atMs = Date.UTC(2026, 0, 10)

const view = (name: string, days: number) =>
  featureView(name, {
    from: payments,
    by: card,
    features: (on) => ({ n: on.count({ over: `${days}d` }), total: on.sum('amount', { over: `${days}d` }) }),
  })
const v1 = featureService('scoring', [view('spending', 1)])
const renamed = featureService('scoring', [view('card_spending', 1)])
const v2 = featureService('scoring', [view('spending', 7)])
const incompatible = featureService('scoring', [
  featureView('spending', { from: payments, by: card, features: (on) => ({ n: on.count({ over: '1d' }) }) }),
])

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-versions-'))
  t.after(async () => {
    for (const mill of opened.get(folder) ?? []) await mill.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** Folder → what was opened there: closed before the folder goes. */
const opened = new Map<string, Mill[]>()

async function open(options: MillOptions): Promise<Mill> {
  const mill = await millrace({ checkpointMs: 20, ...options })
  opened.set(options.folder, [...(opened.get(options.folder) ?? []), mill])
  return mill
}

const event = (day: number, amount: number) => ({
  id: `${day}-${amount}`,
  card: 7,
  amount,
  at: atMs - day * 86_400_000,
})
const read = async (mill: Mill, service = v1): Promise<unknown> =>
  await mill.get(service, { card: 7 }, { asOf: atMs + 1 })

test('the first definitions become version 1, and the next start runs them without being told', async (t) => {
  const folder = makeFolder(t)
  const first = await open({ definitions: [v1], folder })
  assert.deepEqual([first.opened?.changed, first.opened?.version.number, first.versions.serving], [true, 1, 1])
  await first.send(payments, [event(0, 5), event(3, 10)])
  await first.caughtUp()
  assert.deepEqual(await read(first), { n: 1, total: 5 })
  await first.close()
  const second = await open({ folder })
  assert.equal(second.opened, null)
  await second.caughtUp()
  assert.deepEqual(await read(second), { n: 1, total: 5 })
  assert.deepEqual(
    second.versions.all.map(({ number, kind }) => [number, kind]),
    [[1, 'apply']],
  )
})

test('where nothing was applied there is nothing to run', async (t) => {
  const folder = makeFolder(t)
  await assert.rejects(millrace({ folder }), { code: 'REGISTRY_EMPTY' })
  await assert.rejects(millrace({ folder, definitions: [v1], onDifference: 'refuse' }), { code: 'REGISTRY_EMPTY' })
  assert.equal((await readVersions(folder))?.number, 0)
  assert.equal(await readVersions(join(folder, 'other')), null)
})

test('definitions that differ are applied at start, and it says what they change', async (t) => {
  const folder = makeFolder(t)
  const first = await open({ definitions: [v1], folder })
  await first.send(payments, [event(0, 5), event(3, 10)])
  await first.close()
  const second = await open({ definitions: [v2], folder })
  assert.deepEqual(differenceLines(second.opened!.difference), [
    'changed view spending: window 7d added',
    'changed view spending: window 1d removed',
    'changed feature spending.n: count() over 1d → over 7d',
    'changed feature spending.total: sum(amount) over 1d → over 7d',
    'rebuilt from history: spending',
  ])
  await second.caughtUp()
  assert.equal(second.versions.serving, 2)
  assert.deepEqual(await read(second), { n: 2, total: 15 })
  await second.close()
  const third = await open({ definitions: [v2], folder })
  assert.deepEqual([third.opened?.changed, third.versions.applied.number], [false, 2])
})

test('or refused, if that is asked for', async (t) => {
  const folder = makeFolder(t)
  await (await open({ definitions: [v1], folder })).close()
  const error = await millrace({ definitions: [v2], folder, onDifference: 'refuse' }).catch((fault: unknown) => fault)
  assert.ok(error instanceof MillraceError)
  assert.equal(error.code, 'REGISTRY_DIFFERS')
  assert.match(error.message, /version 1.*\n {2}changed view spending: window 7d added/)
  const same = await open({ definitions: [v1], folder, onDifference: 'refuse' })
  assert.equal(same.versions.applied.number, 1)
})

test('what breaks readers needs leave, at start and later', async (t) => {
  const folder = makeFolder(t)
  const first = await open({ definitions: [v1], folder })
  await assert.rejects(first.versions.apply([incompatible]), (error: unknown) => {
    assert.ok(error instanceof MillraceError)
    assert.equal(error.code, 'REGISTRY_INCOMPATIBLE')
    assert.match(error.message, /removed feature spending\.total/)
    return true
  })
  await first.close()
  await assert.rejects(millrace({ definitions: [incompatible], folder }), { code: 'REGISTRY_INCOMPATIBLE' })
  const second = await open({ definitions: [incompatible], folder, allowIncompatible: true })
  assert.equal(second.versions.applied.number, 2)
})

test('a renamed view is not built again, and what is served before is served as before', async (t) => {
  const mill = await open({ definitions: [v1], folder: makeFolder(t) })
  await mill.send(payments, [event(0, 5), event(3, 10)])
  await mill.caughtUp()
  const { counts } = mill
  const { difference } = await mill.versions.apply([renamed])
  assert.deepEqual(differenceLines(difference), [
    'renamed view spending → card_spending',
    'nothing to do: card_spending',
  ])
  await mill.caughtUp()
  assert.equal(mill.versions.serving, 2)
  assert.deepEqual(mill.counts.views['card_spending'], counts.views['spending'])
  assert.deepEqual(await read(mill, renamed), { n: 1, total: 5 })
})

test('a rollback takes effect at once, and costs nothing', async (t) => {
  const mill = await open({ definitions: [v1], folder: makeFolder(t) })
  await mill.send(payments, [event(0, 5), event(3, 10)])
  await mill.versions.apply([v2])
  await mill.caughtUp()
  assert.deepEqual(await read(mill), { n: 2, total: 15 })
  await mill.send(payments, [event(0, 100)])
  const { version, difference } = await mill.versions.rollback()
  assert.deepEqual([version.number, version.kind, version.note], [3, 'rollback', 'to version 1'])
  assert.equal(differenceLines(difference).at(-1), 'nothing to do: spending')
  await mill.caughtUp()
  assert.deepEqual(await read(mill), { n: 2, total: 105 })
  await assert.rejects(mill.versions.rollback(9), { code: 'REGISTRY_NUMBER_UNKNOWN' })
  await mill.versions.rollback(3)
  assert.equal(mill.versions.applied.number, 3, 'going back to what is applied changes nothing')
})

test('a stream that is applied takes events before anything of it is served', async (t) => {
  const mill = await open({ definitions: [v1], folder: makeFolder(t) })
  const clicks = stream('clicks', { fields: { card: int(), at: timestamp('ms') }, time: 'at', lateness: '1m' })
  const clicking = featureView('clicking', {
    from: clicks,
    by: card,
    features: (on) => ({ c: on.count({ over: '1d' }) }),
  })
  await mill.versions.apply([v1, clicking])
  await mill.send(clicks, { card: 7, at: atMs })
  await mill.caughtUp()
  assert.deepEqual(await mill.get(clicking, { card: 7 }, { asOf: atMs + 1 }), { c: 1 })
})

test('whoever planned against another version is told so, and nothing is applied', async (t) => {
  const mill = await open({ definitions: [v1], folder: makeFolder(t) })
  await mill.versions.apply([renamed], { expected: 1, note: 'a better name' })
  await assert.rejects(mill.versions.apply([v2], { expected: 1 }), { code: 'REGISTRY_CONFLICT' })
  await assert.rejects(mill.versions.rollback(1, { expected: 1 }), { code: 'REGISTRY_CONFLICT' })
  assert.deepEqual(
    mill.versions.all.map(({ note }) => note),
    [null, 'a better name'],
  )
  await assert.rejects(mill.versions.apply([v2], { note: 'x'.repeat(1_001) }), { code: 'REQUEST_MALFORMED' })
})

test('of concurrent changes the last one that won is served, and no one gets less than what it won with', async (t) => {
  const mill = await open({ definitions: [v1], folder: makeFolder(t) })
  await mill.send(payments, [event(0, 5), event(3, 10), event(8, 20)])
  for (let round = 0; round < 5; round++) {
    const expected = mill.versions.applied.number
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        mill.versions.apply([featureService('scoring', [view('spending', 10 + round * 10 + index)])], { expected }),
      ),
    )
    const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    assert.equal(won.length, 1)
    assert.equal(mill.versions.applied, won[0]!.version)
  }
  await mill.caughtUp()
  assert.equal(mill.versions.serving, 6)
  assert.equal(mill.plan.hash, mill.versions.applied.plan)
  assert.deepEqual(await read(mill), { n: 3, total: 35 })
})

test('applied and not built, the next start builds it while the version before serves', async (t) => {
  const folder = makeFolder(t)
  const first = await open({ definitions: [v1], folder })
  await first.send(payments, [event(0, 5), event(3, 10)])
  await first.caughtUp()
  await first.close()
  // As if the process had died between the two.
  const dying = openMill({ folder }, async (place) => {
    await registerDefinitions([v2], place)
    throw new Error('died')
  })
  await assert.rejects(dying, /died/)
  const second = await open({ folder })
  assert.deepEqual(await read(second), { n: 1, total: 5 }, 'at once, as before')
  await second.caughtUp()
  assert.deepEqual([second.versions.serving, await read(second)], [2, { n: 2, total: 15 }])
})

test('definitions are applied and built in a folder where nothing runs', async (t) => {
  const folder = makeFolder(t)
  const said: string[] = []
  const options = { folder, partitions: 2, onState: () => undefined }
  const onApplied = ({ version, changed }: { version: { number: number }; changed: boolean }) =>
    said.push(`${version.number} ${changed}`)
  await applyInFolder({ definitions: [v1] }, { ...options, onApplied })
  await applyInFolder({ definitions: [v2] }, { ...options, onApplied })
  await applyInFolder({ definitions: [v2] }, { ...options, onApplied })
  await applyInFolder({ rollback: undefined }, { ...options, onApplied })
  assert.deepEqual(said, ['1 true', '2 true', '2 false', '3 true'])
  const mill = await open({ folder })
  assert.equal(mill.versions.serving, 3, 'it was built')
  await assert.rejects(applyInFolder({ definitions: [v2] }, { ...options, onApplied }), { code: 'FOLDER_IN_USE' })
})
