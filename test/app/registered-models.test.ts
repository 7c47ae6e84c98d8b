// Goal: a version goes live between two requests and is gone the same way; one that is damaged, does not fit or does not
// give what it should never answers.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sha256 } from '../../src/base/hash.ts'
import {
  entity,
  featureService,
  featureView,
  float,
  int,
  type Mill,
  millrace,
  type MillOptions,
  model,
  registry,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { declareModel, type GoldenSet } from '../../src/plan/model-declaration.ts'
import { modelArtefactsTopic, modelRegistryTopic } from '../../src/plan/topics.ts'
import { encodeModelChange } from '../../src/registry/models/model-change.ts'
import type { ModelDescription } from '../../src/registry/models/pushed-model.ts'
import { floats, graph, logistic, node, value } from '../model/onnx/make-onnx.ts'

const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const user = entity('user', { user: int() })
const spendingOver = (over: '1h' | '2h') =>
  featureView('spending', {
    from: payments,
    by: user,
    features: (on) => ({ count: on.count({ over }), mean: on.mean('amount', { over }) }),
  })
const scoring = featureService('scoring', [spendingOver('1h')])
const fraud = model('fraud', {
  input: scoring,
  inputs: ['mean', 'count'],
  from: registry(),
  output: { score: float() },
})
const atMs = Date.UTC(2026, 0, 1, 12)
const asOf = atMs + 10

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-registered-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function withMill(
  use: (mill: Mill) => Promise<void>,
  options: Partial<MillOptions> & { folder: string },
): Promise<void> {
  const mill = await millrace({ definitions: [scoring], models: [fraud], partitions: 1, ...options })
  try {
    await mill.send(payments, [
      { id: 'a', user: 1, amount: 2, at: atMs },
      { id: 'b', user: 1, amount: 4, at: atMs + 1 },
    ])
    await mill.caughtUp()
    await use(mill)
  } finally {
    await mill.close()
  }
}

const description: ModelDescription = {
  declaration: declareModel(fraud),
  metrics: {},
  tags: {},
  training: null,
  golden: null,
  source: null,
}

/** Gives `sigmoid(bias)` whatever comes in: which version answered shows in the score. */
const constant = (bias: number): Uint8Array => logistic([0, 0], bias)
const scoreOf = (bias: number): number => Math.fround(1 / (1 + Math.exp(-bias)))
const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6

async function push(mill: Mill, artefact: Uint8Array, golden: GoldenSet | null = null): Promise<number> {
  const { version } = await mill.modelVersions.push({
    model: 'fraud',
    description: { ...description, golden },
    artefact,
  })
  return version.version
}

async function answer(mill: Mill): Promise<{ version: number; score: number }> {
  const given = await mill.predict(fraud, { user: 1 }, { asOf })
  assert.ok(given.outcome === 'served', JSON.stringify(given))
  return { version: given.model.version, score: given.output.score }
}

test('a model answers once a version is live, then by the next one, and by the first again after a rollback', async () => {
  await withFolder(async (folder) => {
    await withMill(
      async (mill) => {
        await assert.rejects(mill.predict(fraud, { user: 1 }, { asOf }), { code: 'NAME_UNDECLARED' })
        await push(mill, constant(1))
        await assert.rejects(mill.predict(fraud, { user: 1 }, { asOf }), { code: 'MODEL_NOT_LIVE' })
        await mill.modelVersions.promote('fraud', 1)
        assert.deepEqual(mill.models, [{ name: 'fraud', version: 1, checksum: sha256(constant(1)) }])
        assert.ok(isNear((await answer(mill)).score, scoreOf(1)))
        await push(mill, logistic([1, -1], 0))
        await mill.modelVersions.promote('fraud', 2)
        // Inputs in the order of the declaration: mean 3, count 2.
        assert.ok(isNear((await answer(mill)).score, scoreOf(1)))
        assert.equal((await answer(mill)).version, 2)
        await mill.modelVersions.rollback('fraud')
        assert.equal((await answer(mill)).version, 1)
        assert.deepEqual(mill.modelVersions.state('fraud').here, { answers: 1, loaded: [1], fault: null })
      },
      { folder },
    )
    // A process that starts has what is live, and none of its models in its module.
    await withMill(async (mill) => assert.equal((await answer(mill)).version, 1), { folder, models: [] })
  })
})

test('requests under way keep their version, and none fails, while versions change 40 times', async () => {
  await withFolder(async (folder) => {
    await withMill(
      async (mill) => {
        for (const bias of [1, 2, 3]) await push(mill, constant(bias))
        await mill.modelVersions.promote('fraud', 1)
        let [isDone, asked] = [false, 0]
        const seen = new Set<number>()
        const ask = async (): Promise<void> => {
          while (!isDone) {
            const entities = [{ user: 1 }, { user: 1 }, { user: 1 }]
            const { model: by, predictions } = await mill.predictMany({ model: 'fraud', entities, asOf })
            for (const one of predictions) {
              assert.ok(one.outcome === 'served')
              assert.ok(
                isNear(one.output['score'] as number, scoreOf(by.version)),
                `${by.version} gave another's score`,
              )
            }
            seen.add(by.version)
            asked += 1
            await new Promise((resolve) => setImmediate(resolve))
          }
        }
        const asking = Promise.all(Array.from({ length: 8 }, ask))
        for (let round = 0; round < 20; round++) {
          await mill.modelVersions.promote('fraud', (round % 3) + 1 === 1 ? 2 : (round % 3) + 1)
          await mill.modelVersions.rollback('fraud')
        }
        isDone = true
        await asking
        assert.equal(mill.registered.counts.switches, 40)
        assert.deepEqual(
          [...seen].toSorted((a, b) => a - b),
          [1, 2, 3],
        )
        assert.ok(asked > 40, `${asked} requests`)
      },
      { folder },
    )
  })
})

test('golden samples are checked when a version is pushed, within their tolerance', async () => {
  const golden = (score: number, tolerance: number): GoldenSet => {
    return { tolerance, rows: [{ input: { mean: 3, count: 2 }, output: { score } }] }
  }
  await withFolder(async (folder) => {
    await withMill(
      async (mill) => {
        assert.equal(await push(mill, constant(1), golden(scoreOf(1) + 1e-4, 1e-3)), 1)
        await assert.rejects(push(mill, constant(1), golden(scoreOf(1) + 1e-4, 1e-6)), {
          code: 'MODEL_GOLDEN_FAILED',
          message: /sample 0 gives score 0.731/,
        })
        const other: GoldenSet = { tolerance: 1, rows: [{ input: { mean: 3 }, output: { score: 0 } }] }
        await assert.rejects(push(mill, constant(1), other), { message: /sample 0 has no input count/ })
        assert.equal(mill.modelVersions.state('fraud').versions.length, 1)
      },
      { folder },
    )
  })
})

test('what gives no number, has another shape, is no model or takes other features is refused, and nothing is written', async () => {
  const nan = graph(
    node({ op: 'MatMul', inputs: ['x', 'w'], outputs: ['score'] }),
    floats('w', [2, 1], [Number.NaN, 1]),
    value(11, 'x', 'float', ['rows', 2]),
    value(12, 'score', 'float', ['rows', 1]),
  )
  const golden: GoldenSet = { tolerance: 1, rows: [{ input: { mean: 1, count: 1 }, output: { score: 0 } }] }
  await withFolder(async (folder) => {
    await withMill(
      async (mill) => {
        const wide = push(mill, logistic([1, 2, 3], 0))
        await assert.rejects(wide, { code: 'MODEL_REFUSED', message: /has the shape \[rows, 3\]/ })
        await assert.rejects(push(mill, Buffer.from('no model')), { code: 'MODEL_REFUSED' })
        await assert.rejects(push(mill, nan, golden), { code: 'MODEL_GOLDEN_FAILED', message: /score is NaN/ })
        const inputs = [{ name: 'count', type: 'int', text: 'count over 9h' }]
        const declaration = { ...description.declaration, inputs }
        const changed = { model: 'fraud', description: { ...description, declaration }, artefact: constant(1) }
        await assert.rejects(mill.modelVersions.push(changed), { code: 'MODEL_MISFIT', message: /count over 9h/ })
        assert.equal(mill.log.end(modelRegistryTopic, 0), 0)
        // Without samples NaN is seen when it answers: a failure of the row, counted, and never a score.
        await push(mill, nan)
        await mill.modelVersions.promote('fraud', 1)
        const given = await mill.predict(fraud, { user: 1 }, { asOf })
        assert.ok(given.outcome === 'failed' && given.reason === 'OUTPUT_NOT_FINITE')
        assert.equal(mill.predictionCounts[0]!.outcomes.failed, 1)
      },
      { folder },
    )
  })
})

/** As if another process, or damage, had written it: past every check of a push. */
async function promoteUnchecked(mill: Mill, version: number): Promise<void> {
  const { change } = mill.modelVersions.state('fraud')
  const at = '2026-01-01T00:00:00.000Z'
  const record = { model: 'fraud', kind: 'promoted', version, stage: 'live', at, note: null } as const
  const bytes = encodeModelChange({ ...record, number: change + 1, previous: change })
  await mill.log.append(modelRegistryTopic, 0, [{ key: null, value: bytes, timestampMs: 0 }])
}

async function until(check: () => boolean): Promise<void> {
  const end = performance.now() + 5_000
  while (!check()) {
    assert.ok(performance.now() < end, 'it did not come')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('an artefact with a flipped byte never goes live, by a promotion or by the log; what is live stays', async () => {
  await withFolder(async (folder) => {
    await withMill(
      async (mill) => {
        await push(mill, constant(1))
        await mill.modelVersions.promote('fraud', 1)
        // The next version says where its pieces are, and there lies another artefact.
        const flipped = Buffer.from(constant(2))
        flipped[flipped.length - 1]! ^= 1
        const offset = await mill.log.append(modelArtefactsTopic, 0, [{ key: null, value: flipped, timestampMs: 0 }])
        const artefact = { sha256: sha256(constant(2)), bytes: flipped.length, chunks: [offset] }
        const { change, versions } = mill.modelVersions.state('fraud')
        const pushed = { ...description, plan: versions[0]!.plan, artefact }
        const at = '2026-01-01T00:00:00.000Z'
        const record = { model: 'fraud', kind: 'pushed', version: 2, pushed, at, note: null } as const
        const bytes = encodeModelChange({ ...record, number: change + 1, previous: change })
        await mill.log.append(modelRegistryTopic, 0, [{ key: null, value: bytes, timestampMs: 0 }])
        await until(() => mill.modelVersions.state('fraud').versions.length === 2)
        await assert.rejects(mill.modelVersions.promote('fraud', 2), { code: 'MODEL_ARTEFACT_CORRUPT' })
        assert.equal(mill.modelVersions.state('fraud').live, 1)
        await promoteUnchecked(mill, 2)
        await until(() => mill.modelVersions.state('fraud').live === 2)
        await until(() => mill.registered.counts.failures > 0)
        assert.equal((await answer(mill)).version, 1)
        assert.match(mill.modelVersions.state('fraud').here!.fault!, /is damaged: its SHA-256 is/)
      },
      { folder },
    )
    // A process that starts now serves what the others do.
    await withMill(async (mill) => assert.equal((await answer(mill)).version, 1), { folder })
  })
})

test('a version beyond the memory for models does not go live, and says so', async () => {
  await withFolder(async (folder) => {
    const bytes = constant(1).length
    await withMill(
      async (mill) => {
        await push(mill, constant(1))
        await push(mill, constant(2))
        await mill.modelVersions.promote('fraud', 1)
        const code = 'MODELS_TOO_LARGE'
        await assert.rejects(mill.modelVersions.promote('fraud', 2), { code })
        assert.deepEqual([mill.modelVersions.state('fraud').live, (await answer(mill)).version], [1, 1])
      },
      { folder, modelBytesMax: bytes + 10 },
    )
  })
})

test('a shadow is asked with the same vectors, compared and counted, and never served', async () => {
  await withFolder(async (folder) => {
    await withMill(
      async (mill) => {
        for (const bias of [1, 2]) await push(mill, constant(bias))
        await mill.modelVersions.promote('fraud', 1)
        await mill.modelVersions.promote('fraud', 2, { to: 'shadow' })
        for (let n = 0; n < 5; n++) assert.equal((await answer(mill)).version, 1)
        const countsOf = (version: number) => mill.predictionCounts.find((one) => one.version === version)
        await until(() => countsOf(2)?.outcomes.served === 5)
        const { count, sum, max } = countsOf(2)!.differences['score']!
        assert.equal(count, 5)
        assert.ok(isNear(sum, 5 * (scoreOf(2) - scoreOf(1))) && isNear(max, scoreOf(2) - scoreOf(1)))
        assert.deepEqual([countsOf(1)!.stage, countsOf(2)!.stage], ['live', 'shadow'])
        await mill.modelVersions.retire('fraud', 2)
        await answer(mill)
        assert.equal(countsOf(2)!.outcomes.served, 5)
      },
      { folder },
    )
  })
})

test('definitions that no longer fit stop a model, and give it back when they do', async () => {
  await withFolder(async (folder) => {
    await withMill(
      async (mill) => {
        await push(mill, constant(1))
        await push(mill, constant(2))
        await mill.modelVersions.promote('fraud', 1)
        const { stopped } = await mill.versions.apply([featureService('scoring', [spendingOver('2h')])])
        assert.equal(stopped.length, 1)
        assert.match(stopped[0]!, /^version 1 of model fraud, which is live, stops: .*mean\(amount\) over 2h/)
        await mill.caughtUp()
        await assert.rejects(answer(mill), { code: 'MODEL_MISFIT' })
        await assert.rejects(mill.modelVersions.promote('fraud', 2), { code: 'MODEL_MISFIT' })
        // It was stopped before: going back stops nothing, and neither does a change that it does not read.
        assert.deepEqual((await mill.versions.rollback()).stopped, [])
        await mill.caughtUp()
        assert.equal((await answer(mill)).version, 1)
        const other = featureService('other', scoring.views)
        assert.deepEqual((await mill.versions.apply([scoring, other])).stopped, [])
        await mill.caughtUp()
        await mill.modelVersions.promote('fraud', 2)
        assert.equal((await answer(mill)).version, 2)
      },
      { folder },
    )
  })
})

test('the live version is retired only with leave; then nothing answers', async () => {
  await withFolder(async (folder) => {
    await withMill(
      async (mill) => {
        await push(mill, constant(1))
        await mill.modelVersions.promote('fraud', 1)
        await assert.rejects(mill.modelVersions.retire('fraud', 1), { code: 'MODEL_CHANGE_REFUSED' })
        await mill.modelVersions.retire('fraud', 1, { allowLive: true })
        await assert.rejects(answer(mill), { code: 'MODEL_NOT_LIVE' })
      },
      { folder },
    )
  })
})
