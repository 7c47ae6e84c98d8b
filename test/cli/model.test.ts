// Goal: a model is pushed, made live and rolled back from the command line, in a folder, by HTTP, and both with the same
// result; what does not fit is refused and changes nothing.
// Method: the real command line; the artefact is a graph of ours whose score is a constant.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { ModelChangeAnswer, ModelHistory } from '../../src/app/model-versions.ts'
import { sha256 } from '../../src/base/hash.ts'
import { compile, train } from '../../src/index.ts'
import { logistic } from '../model/onnx/make-onnx.ts'
import { scoring } from './model-definitions.ts'
import { type Finished, runCli, startServer } from './run-cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-model-'))
after(() => rmSync(folder, { recursive: true }))
const data = join(folder, 'data')
const definitions = join(import.meta.dirname, 'model-definitions.ts')

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** Gives `sigmoid(bias)` whatever comes in. */
const artefact = (bias: number): Uint8Array => logistic([0, 0], bias)
const scoreOf = (bias: number): number => Math.fround(1 / (1 + Math.exp(-bias)))
const samples = (score: number): string =>
  JSON.stringify({ tolerance: 1e-6, rows: [{ input: { payments_1h: 2, mean_1h: 3 }, output: { score } }] })

async function done(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(args)
  assert.equal(code, 0, stdout + stderr)
  return stdout
}

async function refused(code: string, ...args: readonly string[]): Promise<string> {
  const finished: Finished = await runCli(args)
  assert.equal(finished.code, 1, finished.stdout)
  assert.ok(finished.stderr.startsWith(`${code}: `), finished.stderr)
  return finished.stderr
}

const parsed = async <T>(...args: readonly string[]): Promise<T> => JSON.parse(await done(...args, '--json')) as T

test('in a folder where nothing runs, a model is pushed with all that is known of it, shown, and made live', async () => {
  const place = ['--folder', data]
  const [first, second] = [file('1.onnx', artefact(1)), file('2.onnx', artefact(2))]
  await done('apply', definitions, ...place)
  const manifest = await trainingManifest()
  const text = readFileSync(manifest, 'utf8')
  const facts = ['--golden', file('golden.json', samples(scoreOf(1))), '--metrics', file('auc.json', '{"auc":0.75}')]
  const more = ['--training', manifest, '--tag', 'run=7', 'of=a test', '--note', 'the first one']
  const pushed = await done('model', 'push', definitions, 'fraud', first, ...place, ...facts, ...more)
  assert.equal(pushed, `fraud: version 1 pushed, ${artefact(1).length} bytes, ${sha256(artefact(1)).slice(0, 12)}\n`)
  const shown = await done('model', 'show', 'fraud', '1', ...place)
  const { plan } = JSON.parse(text) as { plan: string }
  const told = [
    '2 rows of scoring, at when (ts < instant)',
    'metric    auc 0.75',
    'tag       of a test',
    'mean_1h: float, ',
  ]
  for (const part of [sha256(text), plan, sha256(artefact(1)), 'golden    1 sample', ...told]) {
    assert.ok(shown.includes(part), `${part} in ${shown}`)
  }
  const wrong = ['--golden', file('wrong.json', samples(0.5))]
  const fault = await refused('MODEL_GOLDEN_FAILED', 'model', 'push', definitions, 'fraud', second, ...place, ...wrong)
  assert.match(fault, /sample 0 gives score 0\.88/)
  const tagged = await parsed<ModelChangeAnswer>('model', 'push', definitions, 'fraud', second, ...place)
  assert.deepEqual([tagged.change, tagged.version.version, tagged.version.stage], [2, 2, 'candidate'])
  assert.match(await done('model', 'promote', 'fraud', '1', ...place), /^fraud: version 1 live$/m)
  assert.match(await done('model', 'list', ...place), /^fraud +2 +1 +none$/m)
})

/** Of two rows; made in this process, as `millrace train` makes it. */
async function trainingManifest(): Promise<string> {
  const events = file('payments.csv', 'id,user,amount,at\na,1,2,2026-01-01T10:00:00Z\nb,1,4,2026-01-01T10:30:00Z\n')
  const spine = file('spine.csv', 'user,when\n1,2026-01-01T10:20:00Z\n1,2026-01-01T10:40:00Z\n')
  const output = join(folder, 'set.csv')
  const plan = compile([scoring])
  await train({ plan, target: 'scoring', spine, at: 'when', history: { files: { payments: [events] } }, output })
  return `${output}.manifest.json`
}

test('a running process answers by what is promoted, from the next request on', async () => {
  const start = await startServer('start', ['--folder', data])
  const place = ['--url', start.address]
  const post = async (path: string, body: object): Promise<unknown> => {
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const response = await fetch(start.address + path, request)
    return await response.json()
  }
  type Answer = { model: { version: number }; predictions: { output: { score: number } }[] }
  const answered = async (version: number, bias: number): Promise<void> => {
    const asOf = '2026-01-01T10:40:00Z'
    const given = (await post('/v1/predict', { model: 'fraud', entities: [{ user: 1 }], asOf })) as Answer
    assert.equal(given.model.version, version)
    assert.ok(Math.abs(given.predictions[0]!.output.score - scoreOf(bias)) < 1e-6)
  }
  try {
    await post('/v1/events/payments', [
      { id: 'a', user: 1, amount: 2, at: '2026-01-01T10:00:00Z' },
      { id: 'b', user: 1, amount: 4, at: '2026-01-01T10:30:00Z' },
    ])
    const read = { service: 'scoring', entities: [{ user: 1 }], asOf: '2026-01-01T10:40:00Z' }
    while (!JSON.stringify(await post('/v1/features', read)).includes('[2,3]')) await new Promise(setImmediate)
    await answered(1, 1)
    const third = file('3.onnx', artefact(3))
    const golden = file('golden3.json', samples(scoreOf(3)))
    await done('model', 'push', definitions, 'fraud', third, '--golden', golden, ...place)
    await done('model', 'promote', 'fraud', '3', ...place)
    await answered(3, 3)
    assert.match(await done('model', 'list', ...place), /^fraud +3 +3 +1 +version 3$/m)
    await refused('MODEL_CHANGE_REFUSED', 'model', 'retire', 'fraud', '3', ...place)
    await done('model', 'rollback', 'fraud', ...place)
    await answered(1, 1)
    await done('model', 'retire', 'fraud', '3', ...place)
    // The folder says the same, also while the process runs in it.
    const [here, there] = [
      await parsed<ModelHistory>('model', 'show', 'fraud', '--folder', data),
      await parsed<ModelHistory>('model', 'show', 'fraud', ...place),
    ]
    assert.deepEqual(here.changes, there.changes)
    assert.deepEqual(
      here.versions.map(({ stage }) => stage),
      ['live', 'candidate', 'retired'],
    )
    assert.deepEqual(there.here, { answers: 1, loaded: [1], fault: null })
    await refused('FOLDER_IN_USE', 'model', 'rollback', 'fraud', '--folder', data)
  } finally {
    start.process.kill('SIGTERM')
    await start.finished
  }
})
