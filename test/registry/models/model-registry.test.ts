// Goal: the order of the log decides what is live, whoever wrote it; an artefact comes back as it was pushed, or not at all.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { makeManualClock } from '../../../src/base/clock.ts'
import { openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import type { Log } from '../../../src/log/log.ts'
import { modelArtefactsTopic, modelRegistryTopic } from '../../../src/plan/topics.ts'
import { putArtefact, readArtefact } from '../../../src/registry/models/artefacts.ts'
import { encodeModelChange, type ModelChange, type ModelChangeWhat } from '../../../src/registry/models/model-change.ts'
import { ModelRegistry } from '../../../src/registry/models/model-registry.ts'
import type { PushedModel } from '../../../src/registry/models/pushed-model.ts'
import { liveOf, previousOf } from '../../../src/registry/models/registered-model.ts'

async function openLog(t: TestContext): Promise<Log> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-model-registry-'))
  const log = await openEmbeddedLog({ folder: join(folder, 'log'), clock: makeManualClock(0) })
  t.after(async () => {
    await log.close()
    rmSync(folder, { recursive: true })
  })
  return log
}

const at = '2026-01-01T00:00:00.000Z'
const pushed: PushedModel = {
  plan: 'a'.repeat(64),
  artefact: { sha256: 'b'.repeat(64), bytes: 3, chunks: [0] },
  declaration: {
    target: 'scoring',
    inputs: [{ name: 'count', type: 'int', text: 'count over 1h' }],
    outputs: [{ name: 'score', kind: 'float', nullable: false }],
    missing: { default: { count: 0 } },
    tensors: { score: { tensor: 'probabilities', column: 1 } },
  },
  metrics: { auc: 0.97 },
  tags: { team: 'fraud' },
  training: null,
  golden: { tolerance: 1e-6, rows: [{ input: { count: 1 }, output: { score: 0.5 } }] },
  source: null,
}
const push = (version: number): ModelChangeWhat => ({ kind: 'pushed', version, pushed })
const promote = (version: number, stage: 'candidate' | 'shadow' | 'live' = 'live'): ModelChangeWhat => ({
  kind: 'promoted',
  version,
  stage,
})
const proposal = (what: ModelChangeWhat, expected: number, model = 'fraud') => {
  return { ...what, model, expected, at, note: null }
}
const apply = async (registry: ModelRegistry, whats: readonly ModelChangeWhat[]): Promise<void> => {
  for (const [index, what] of whats.entries()) await registry.append(proposal(what, index))
}
const stages = (registry: ModelRegistry): string[] => registry.model('fraud').versions.map(({ stage }) => stage)

test('a log without models has none, and looking changes nothing', async (t) => {
  const log = await openLog(t)
  const registry = await ModelRegistry.open(log)
  assert.deepEqual(registry.models, [])
  assert.deepEqual(log.topics(), [])
  assert.throws(() => registry.model('fraud'), { code: 'NAME_UNDECLARED' })
})

test('versions are read back as they were pushed, with the stages they were moved to', async (t) => {
  const log = await openLog(t)
  const registry = await ModelRegistry.open(log)
  await apply(registry, [push(1), push(2), promote(1), promote(2, 'shadow'), push(3), promote(3)])
  assert.deepEqual(stages(registry), ['candidate', 'shadow', 'live'])
  const again = await ModelRegistry.open(log)
  assert.deepEqual(again.models, registry.models)
  assert.deepEqual(again.version('fraud', 1), { ...pushed, version: 1, stage: 'candidate', at, note: null })
  assert.throws(() => again.version('fraud', 4), { code: 'MODEL_VERSION_UNKNOWN' })
})

test('a rollback goes to what was live before, step by step, and past what was retired', async (t) => {
  const registry = await ModelRegistry.open(await openLog(t))
  await apply(registry, [push(1), push(2), push(3), push(4), promote(1), promote(2), promote(3), promote(4)])
  await registry.append(proposal({ kind: 'retired', version: 3 }, 8))
  assert.equal(previousOf(registry.model('fraud'))?.version, 2)
  await assert.rejects(registry.append(proposal({ kind: 'rolled back', version: 3 }, 9)), /it is retired/)
  await registry.append(proposal({ kind: 'rolled back', version: 2 }, 9))
  assert.deepEqual(stages(registry), ['candidate', 'live', 'retired', 'candidate'])
  await registry.append(proposal({ kind: 'rolled back', version: 1 }, 10))
  assert.equal(liveOf(registry.model('fraud'))?.version, 1)
  const none = registry.append(proposal({ kind: 'rolled back', version: 2 }, 11))
  await assert.rejects(none, { code: 'MODEL_CHANGE_REFUSED', message: /none was live before/ })
})

test('a live version that is retired leaves none live, until a rollback or a promotion', async (t) => {
  const registry = await ModelRegistry.open(await openLog(t))
  await apply(registry, [push(1), push(2), promote(1), promote(2), { kind: 'retired', version: 2 }])
  assert.equal(liveOf(registry.model('fraud')), null)
  await registry.append(proposal({ kind: 'rolled back', version: 1 }, 5))
  assert.equal(liveOf(registry.model('fraud'))?.version, 1)
  assert.equal(previousOf(registry.model('fraud')), null)
})

test('what makes no sense is refused before it is written', async (t) => {
  const log = await openLog(t)
  const registry = await ModelRegistry.open(log)
  await apply(registry, [push(1), promote(1), push(2), push(3), push(4), push(5), push(6)])
  for (const version of [2, 3, 4, 5]) {
    await registry.append(proposal(promote(version, 'shadow'), registry.model('fraud').changes.length))
  }
  const refused: readonly [ModelChangeWhat, RegExp][] = [
    [promote(1), /it is live already/],
    [promote(1, 'shadow'), /it is live: promote another one, or roll back/],
    [promote(9), /it has 1 to 6/],
    [push(9), /the next version is 7/],
    [promote(6, 'shadow'), /there are 4 shadows/],
  ]
  const end = log.end(modelRegistryTopic, 0)
  for (const [what, message] of refused) {
    await assert.rejects(registry.append(proposal(what, 11)), { code: 'MODEL_CHANGE_REFUSED', message })
  }
  assert.equal(log.end(modelRegistryTopic, 0), end)
})

test('of two who change a model at once one wins, and the other is told what changed', async (t) => {
  const log = await openLog(t)
  const [ours, theirs] = [await ModelRegistry.open(log), await ModelRegistry.open(log)]
  await apply(ours, [push(1), push(2)])
  await theirs.refresh()
  const both = await Promise.allSettled([
    ours.append(proposal(promote(1), 2)),
    theirs.append({ ...proposal(promote(2), 2), note: 'mine' }),
  ])
  const lost = both.filter((one) => one.status === 'rejected')
  assert.equal(lost.length, 1)
  assert.match(
    String(lost[0]!.reason),
    /was changed since its change 2\n {2}3 at 2026-01-01T00:00:00.000Z: version [12] live/,
  )
  await ours.refresh()
  await theirs.refresh()
  assert.deepEqual(ours.models, theirs.models)
  // Another model is another order: nobody is in its way.
  await theirs.append(proposal(push(1), 0, 'churn'))
})

test('records that lose are passed over, and those that nobody could have written stop the reading', async (t) => {
  const log = await openLog(t)
  await apply(await ModelRegistry.open(log), [push(1), promote(1)])
  const write = async (change: object): Promise<void> => {
    const value = encodeModelChange({ model: 'fraud', at, note: null, ...change } as ModelChange)
    await log.append(modelRegistryTopic, 0, [{ key: null, value, timestampMs: 0 }])
  }
  await write({ kind: 'retired', version: 1, number: 2, previous: 1 })
  assert.equal(liveOf((await ModelRegistry.open(log)).model('fraud'))?.version, 1)
  await write({ kind: 'promoted', version: 7, stage: 'live', number: 3, previous: 2 })
  await assert.rejects(ModelRegistry.open(log), { code: 'REGISTRY_CORRUPT', message: /it has 1 to 1/ })
})

test('a record of another format, or with a member nobody knows, is a fault', async (t) => {
  const cases: readonly [object, string][] = [
    [{ format: 2 }, 'REGISTRY_VERSION_UNKNOWN'],
    [{ surprise: 1 }, 'REGISTRY_CORRUPT'],
    [{ stage: 'live' }, 'REGISTRY_CORRUPT'],
    [{ pushed: { ...pushed, plan: 'x' } }, 'REGISTRY_CORRUPT'],
    [{ pushed: { ...pushed, declaration: { ...pushed.declaration, missing: 'guess' } } }, 'REGISTRY_CORRUPT'],
    [{ model: 'no name' }, 'REGISTRY_CORRUPT'],
  ]
  for (const [members, code] of cases) {
    const log = await openLog(t)
    await log.createTopic(modelRegistryTopic, { partitions: 1 })
    const change = { format: 1, ...proposal(push(1), 0), number: 1, previous: 0, expected: undefined, ...members }
    const value = Buffer.from(JSON.stringify(change))
    await log.append(modelRegistryTopic, 0, [{ key: null, value, timestampMs: 0 }])
    await assert.rejects(ModelRegistry.open(log), { code })
  }
})

test('an artefact of several pieces comes back byte for byte, also beside another', async (t) => {
  const log = await openLog(t)
  const big = Uint8Array.from({ length: 1_300_000 }, (_, index) => (index * 31) % 251)
  const small = Uint8Array.from([1, 2, 3])
  const [one, two] = await Promise.all([putArtefact(log, big, 0), putArtefact(log, small, 0)])
  assert.equal(one.chunks.length, 3)
  assert.deepEqual(new Uint8Array(await readArtefact(log, one)), big)
  assert.deepEqual(new Uint8Array(await readArtefact(log, two)), small)
})

test('an artefact with a byte that changed, a piece that is missing or one that is another is refused', async (t) => {
  const log = await openLog(t)
  const place = await putArtefact(log, Buffer.from('the model'), 0)
  const flipped = Buffer.from('the nodel')
  const offset = await log.append(modelArtefactsTopic, 0, [{ key: null, value: flipped, timestampMs: 0 }])
  const code = 'MODEL_ARTEFACT_CORRUPT'
  await assert.rejects(readArtefact(log, { ...place, chunks: [offset] }), { code, message: /its SHA-256 is/ })
  await assert.rejects(readArtefact(log, { ...place, chunks: [99] }), { code, message: /record 99 is not there/ })
  await assert.rejects(readArtefact(log, { ...place, chunks: [0, offset] }), {
    code,
    message: /18 bytes in place of 9/,
  })
})
