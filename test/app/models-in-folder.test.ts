// Goal: what a push is made of is read with care, and in a folder where nothing runs the registry refuses what a running
// process would refuse, with nothing written.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { applyInFolder } from '../../src/app/apply-in-folder.ts'
import { describeModel, loadRegistryModel, readArtefactFile, type VersionFacts } from '../../src/app/describe-model.ts'
import { changeModelIn, pushModelIn, readModel, readModels } from '../../src/app/models-in-folder.ts'
import { fraud, scoring } from '../cli/model-definitions.ts'
import { logistic } from '../model/onnx/make-onnx.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-models-'))
after(() => rmSync(folder, { recursive: true }))
const module = join(import.meta.dirname, '../cli/model-definitions.ts')
const facts: VersionFacts = { tags: {}, source: null }
const artefact = logistic([0, 0], 1)

function file(content: string | Uint8Array): string {
  const path = join(folder, 'given')
  writeFileSync(path, content)
  return path
}

async function apply(data: string): Promise<void> {
  const ignore = (): void => undefined
  const options = { folder: data, partitions: 1, onApplied: ignore, onState: ignore }
  await applyInFolder({ definitions: [scoring] }, options)
}

test('files that are not what they should be are refused with what is wrong in them', async () => {
  const cases: readonly [keyof VersionFacts, string, RegExp][] = [
    ['metrics', '{"auc":"high"}', /at description\.metrics\.auc there is/],
    ['metrics', '{"auc":1e999}', /metrics\.auc/],
    ['metrics', '[1]', /metrics/],
    ['metrics', '{', /is not JSON/],
    ['golden', '{"rows":[]}', /golden\.tolerance/],
    ['golden', '{"tolerance":-1,"rows":[{"input":{},"output":{}}]}', /golden\.tolerance/],
    ['golden', '{"tolerance":0,"rows":[]}', /golden\.rows/],
    ['golden', '{"tolerance":0,"rows":[{"input":{"a":"text"},"output":{}}]}', /golden\.rows\[0\]\.input\.a/],
    ['golden', '{"tolerance":0,"rows":[{"input":{},"output":{}}],"columns":[]}', /columns/],
    ['training', '{"version":1}', /is no manifest/],
    ['training', '{"version":2,"plan":"","target":"","at":"","bound":"","output":{},"createdAt":""}', /is no manifest/],
    [
      'training',
      '{"version":1,"plan":"x","target":"t","at":"","bound":"","output":{"rows":1},"createdAt":""}',
      /training\.plan/,
    ],
  ]
  for (const [name, content, message] of cases) {
    const given = describeModel(fraud, { ...facts, [name]: file(content) })
    await assert.rejects(given, { code: 'REQUEST_MALFORMED', message }, `${name} ${content}`)
  }
  const missing = describeModel(fraud, { ...facts, metrics: join(folder, 'none') })
  await assert.rejects(missing, { code: 'REQUEST_MALFORMED', message: /cannot be read/ })
})

test('only a model of the registry is pushed, from a file of no more than the declared size', async () => {
  assert.equal((await loadRegistryModel(module, 'fraud')).name, 'fraud')
  await assert.rejects(loadRegistryModel(module, 'rule'), { code: 'REQUEST_MALFORMED', message: /not come from/ })
  await assert.rejects(loadRegistryModel(module, 'frauds'), { code: 'NAME_UNDECLARED' })
  assert.deepEqual(Buffer.from(await readArtefactFile(fraud, file(artefact))), Buffer.from(artefact))
  const small = { ...fraud, from: { type: 'registry', outputs: {}, bytesMax: artefact.length - 1 } } as const
  await assert.rejects(readArtefactFile(small, file(artefact)), { code: 'REQUEST_TOO_LARGE' })
  await assert.rejects(readArtefactFile(fraud, join(folder, 'none')), { code: 'MODEL_UNREADABLE' })
})

test('nothing is pushed where no definitions are applied, and no folder is made', async () => {
  const place = { folder: join(folder, 'nowhere'), log: undefined }
  const description = await describeModel(fraud, facts)
  const pushed = { model: 'fraud', description, artefact }
  await assert.rejects(pushModelIn(place, pushed, {}), { code: 'FOLDER_WITHOUT_LOG' })
  await assert.rejects(readModels(place), { code: 'FOLDER_WITHOUT_LOG' })
})

test('a refused change of a folder leaves its models as they were', async () => {
  const place = { folder: join(folder, 'data'), log: undefined }
  await apply(place.folder)
  const description = await describeModel(fraud, facts)
  for (const bias of [1, 2])
    await pushModelIn(place, { model: 'fraud', description, artefact: logistic([0, 0], bias) }, {})
  await changeModelIn(place, { model: 'fraud', action: { promote: 1, to: 'live' } }, {})
  const before = await readModel('fraud', place)
  const refused = async (code: string, work: Promise<unknown>): Promise<void> => {
    await assert.rejects(work, { code })
    assert.deepEqual(await readModel('fraud', place), before)
  }
  const change = (action: Parameters<typeof changeModelIn>[1]['action'], expected?: number) =>
    changeModelIn(place, { model: 'fraud', action }, expected === undefined ? {} : { expected })
  await refused('MODEL_VERSION_UNKNOWN', change({ promote: 3, to: 'live' }))
  await refused('MODEL_CONFLICT', change({ promote: 2, to: 'live' }, 1))
  await refused('MODEL_CHANGE_REFUSED', change({ retire: 1, allowLive: false }))
  await refused('MODEL_CHANGE_REFUSED', change({ rollback: true }))
  await refused('MODEL_REFUSED', pushModelIn(place, { model: 'fraud', description, artefact: Buffer.from('x') }, {}))
  // What could not be read back would stop everyone who reads the registry.
  await refused('REQUEST_MALFORMED', pushModelIn(place, { model: 'a fraud', description, artefact }, {}))
  const metrics = { auc: Number.NaN }
  const pushed = { model: 'fraud', description: { ...description, metrics }, artefact }
  await refused('REQUEST_MALFORMED', pushModelIn(place, pushed, {}))
  assert.deepEqual(
    (await readModels(place)).map(({ name, live, previous, here }) => ({ name, live, previous, here })),
    [{ name: 'fraud', live: 1, previous: null, here: null }],
  )
})
