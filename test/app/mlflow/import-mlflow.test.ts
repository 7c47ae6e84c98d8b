// Goal: a version of MLflow's comes over whole, with what is known of it, or not at all; credentials go to that server
// and nowhere else.
// Method: a small server of ours gives the answers that MLflow 3.17 gave. `python/real-mlflow.test.ts` asks a real one.
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, test } from 'node:test'
import { type MlflowImport, parseReference, readMlflowModel } from '../../../src/app/mlflow/import-mlflow.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { sha256 } from '../../../src/base/hash.ts'
import { logistic } from '../../model/onnx/make-onnx.ts'

const artefact = Buffer.from(logistic([1, -1], 0))
const folder = '0/models/m-90be02bcc6ea49ff8c545d1355523567/artifacts'
const api = '/api/2.0/mlflow/'
const files = '/api/2.0/mlflow-artifacts/artifacts/'
const mlModel = `artifact_path: ${folder}
flavors:
  onnx:
    code: null
    data: model.onnx
    onnx_version: 1.23.2
    providers:
    - CUDAExecutionProvider
    - CPUExecutionProvider
  python_function:
    data: other.onnx
    loader_module: mlflow.onnx
mlflow_version: 3.17.2
`

const version = (tags: object[] = []) => ({
  name: 'fraud',
  version: '3',
  creation_timestamp: 1,
  source: 'models:/m-90be',
  run_id: 'r1',
  status: 'READY',
  tags,
})
const run = {
  info: { run_id: 'r1', status: 'FINISHED' },
  data: {
    metrics: [
      { key: 'auc', value: 0.93, timestamp: 1, step: 0 },
      { key: 'loss', value: 'NaN', timestamp: 1, step: 0 },
    ],
    tags: [
      { key: 'mlflow.user', value: 'someone' },
      { key: 'team', value: 'risk' },
      { key: 'of', value: 'the run' },
    ],
  },
}

/** Path → what is answered; a function answers itself. */
type Routes = Record<string, unknown>
let routes: Routes
let requests: IncomingMessage[]
let server: Server
let url: string

async function listen(answering: Server): Promise<string> {
  await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(answering.address() as AddressInfo).port}`
}

beforeEach(async () => {
  requests = []
  routes = {
    [`${api}registered-models/alias?name=fraud&alias=champion`]: { model_version: version() },
    [`${api}model-versions/get?name=fraud&version=3`]: { model_version: version() },
    [`${api}model-versions/search?filter=name%3D%27fraud%27&order_by=version_number+DESC&max_results=1`]: {
      model_versions: [version()],
    },
    [`${api}runs/get?run_id=r1`]: { run },
    [`${api}registered-models/get?name=fraud`]: {
      registered_model: { name: 'fraud', tags: [{ key: 'of', value: 'the model' }] },
    },
    [`${api}model-versions/get-download-uri?name=fraud&version=3`]: { artifact_uri: `mlflow-artifacts:/${folder}` },
    [`${files}${folder}/MLmodel`]: Buffer.from(mlModel),
    [`${files}${folder}/model.onnx`]: artefact,
  }
  server = createServer((request, response) => {
    requests.push(request)
    const given = routes[request.url!]
    if (given === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' })
      response.end('{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"not found"}')
    } else if (given instanceof Redirect) response.writeHead(302, { location: given.to }).end()
    else if (given instanceof Status) response.writeHead(given.code).end(given.body)
    else response.end(Buffer.isBuffer(given) ? given : JSON.stringify(given))
  })
  url = await listen(server)
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

class Redirect {
  readonly to: string
  constructor(to: string) {
    this.to = to
  }
}

class Status {
  readonly code: number
  readonly body: string
  constructor(code: number, body = '') {
    this.code = code
    this.body = body
  }
}

const read = (text: string, more: Partial<MlflowImport> = {}) =>
  readMlflowModel({
    url,
    reference: parseReference(text),
    bytesMax: 100_000,
    environment: {},
    clock: systemClock,
    ...more,
  })

test('a version is found by its alias, its number, or as the newest, and comes with metrics and tags', async () => {
  for (const reference of ['fraud@champion', 'fraud/3', 'fraud']) {
    const found = await read(reference)
    assert.deepEqual(Buffer.from(found.artefact), artefact, reference)
    assert.deepEqual(found.metrics, { auc: 0.93 })
    assert.deepEqual(found.skipped, ['loss'])
    assert.deepEqual(found.tags, { team: 'risk', of: 'the model' })
    assert.equal(found.source, `MLflow at ${url}, fraud version 3, run r1`)
  }
})

test('a name, an alias or a version that is not there is told as that', async () => {
  await assert.rejects(read('frauds'), { code: 'MLFLOW_REFUSED', message: /no version of a model frauds/ })
  await assert.rejects(read('fraud@best'), { message: /no model fraud with alias best/ })
  await assert.rejects(read('fraud/4'), { message: /no version 4 of a model fraud/ })
  await assert.rejects(read("fr'aud"), { message: /has a quote/ })
  for (const text of ['', '/3', 'a/b', 'a/0', 'a@', 'a/3@b', 'a@b/3']) {
    assert.throws(() => parseReference(text), { code: 'REQUEST_MALFORMED' }, text)
  }
})

test('a run that was deleted takes nothing from the model but what it measured', async () => {
  delete routes[`${api}runs/get?run_id=r1`]
  const { metrics, tags } = await read('fraud/3')
  assert.deepEqual([metrics, tags], [{}, { of: 'the model' }])
})

test('another file than the hash says is refused, by the option or by the tag of the version', async () => {
  const right = sha256(artefact)
  await read('fraud/3', { sha256: right.toUpperCase() })
  await assert.rejects(read('fraud/3', { sha256: '0'.repeat(64) }), { code: 'MODEL_REFUSED', message: /SHA-256/ })
  const path = `${api}model-versions/get?name=fraud&version=3`
  routes[path] = { model_version: version([{ key: 'sha256', value: right }]) }
  await read('fraud/3')
  routes[path] = { model_version: version([{ key: 'sha256', value: right.replace(/^./, '_') }]) }
  await assert.rejects(read('fraud/3'), { code: 'MODEL_REFUSED' })
})

test('only the onnx flavour is taken, only what the server itself keeps, and only when it is ready', async () => {
  const at = `${files}${folder}/MLmodel`
  routes[at] = Buffer.from('flavors:\n  python_function:\n    data: model.pkl\n  sklearn:\n    data: model.pkl\n')
  await assert.rejects(read('fraud/3'), { code: 'MLFLOW_REFUSED', message: /saved as python_function, sklearn/ })
  routes[at] = Buffer.from('flavors:\n  onnx:\n    data: ../../other/model.onnx\n')
  await assert.rejects(read('fraud/3'), { code: 'MLFLOW_REFUSED' })
  delete routes[at]
  await assert.rejects(read('fraud/3'), { message: /no MLmodel/ })
  const uri = `${api}model-versions/get-download-uri?name=fraud&version=3`
  for (const elsewhere of [
    's3://bucket/fraud',
    'file:///etc',
    'mlflow-artifacts://other.example:1/x',
    'mlflow-artifacts:/a/../b',
  ]) {
    routes[uri] = { artifact_uri: elsewhere }
    await assert.rejects(read('fraud/3'), { code: 'MLFLOW_REFUSED', message: /its files lie at/ }, elsewhere)
  }
  routes[`${api}model-versions/get?name=fraud&version=3`] = {
    model_version: { ...version(), status: 'FAILED_REGISTRATION' },
  }
  await assert.rejects(read('fraud/3'), { message: /is FAILED_REGISTRATION/ })
})

test('a file beyond the limit is not read to its end', async () => {
  await read('fraud/3', { bytesMax: artefact.length })
  await assert.rejects(read('fraud/3', { bytesMax: artefact.length - 1 }), { code: 'REQUEST_TOO_LARGE' })
})

test('credentials go with every request, to that server alone, and are in no message', async () => {
  await read('fraud/3', { environment: { MLFLOW_TRACKING_TOKEN: 'secret-token' } })
  assert.ok(requests.length >= 6)
  assert.ok(requests.every(({ headers }) => headers.authorization === 'Bearer secret-token'))
  requests = []
  const environment = { MLFLOW_TRACKING_USERNAME: 'me', MLFLOW_TRACKING_PASSWORD: 'secret' }
  await read('fraud/3', { environment })
  assert.equal(requests[0]!.headers.authorization, `Basic ${Buffer.from('me:secret').toString('base64')}`)

  const strangers: IncomingMessage[] = []
  const stranger = createServer((request, response) => {
    strangers.push(request)
    response.end(artefact)
  })
  const elsewhere = await listen(stranger)
  const path = `${files}${folder}/model.onnx`
  const options = { environment: { MLFLOW_TRACKING_TOKEN: 'secret-token' } }
  routes[path] = new Redirect(`${elsewhere}/model.onnx`)
  const told = await read('fraud/3', options).then(
    () => assert.fail(),
    (error: Error) => error,
  )
  assert.match(told.message, /it redirects to http/)
  assert.deepEqual(strangers, [])
  stranger.close()
  // Within the server itself it may.
  routes[path] = new Redirect(`${files}moved`)
  routes[`${files}moved`] = artefact
  assert.deepEqual(Buffer.from((await read('fraud/3', options)).artefact), artefact)
  routes[`${files}moved`] = new Redirect(`${files}moved`)
  await assert.rejects(read('fraud/3'), { code: 'MLFLOW_REFUSED', message: /more than 3 times/ })
  routes[`${api}model-versions/get?name=fraud&version=3`] = new Status(401, 'no')
  const refused = await read('fraud/3', options).then(
    () => assert.fail(),
    (error: Error) => error,
  )
  assert.match(refused.message, /answers 401: the credentials are missing or wrong/)
  for (const error of [told, refused]) assert.ok(!JSON.stringify([error.message, error]).includes('secret'))
  await assert.rejects(read('fraud', { url: 'http://me:secret@127.0.0.1:1' }), (error: Error) => {
    return error.message.includes('holds credentials') && !error.message.includes('secret')
  })
})

test('a server that fails, hangs, is none, or talks of something else is told apart', async () => {
  const path = `${api}model-versions/get?name=fraud&version=3`
  routes[path] = new Status(503, '{"message":"busy"}')
  await assert.rejects(read('fraud/3'), { code: 'MLFLOW_UNREACHABLE', message: /answers 503: busy/ })
  routes[path] = new Status(200, '<html>')
  await assert.rejects(read('fraud/3'), { code: 'MLFLOW_REFUSED', message: /without JSON/ })
  for (const strange of [null, [], 7, { model_version: 'x' }, { model_version: { version: 3 } }]) {
    routes[path] = strange
    await assert.rejects(read('fraud/3'), { code: 'MLFLOW_REFUSED' }, JSON.stringify(strange))
  }
  await assert.rejects(read('fraud', { url: 'http://127.0.0.1:1' }), { code: 'MLFLOW_UNREACHABLE' })
  for (const wrong of ['', 'nothing', 'ftp://127.0.0.1']) {
    await assert.rejects(read('fraud', { url: wrong }), { code: 'REQUEST_MALFORMED' }, wrong)
  }
  const silent = createServer(() => undefined)
  const address = await listen(silent)
  await assert.rejects(read('fraud', { url: address, timeoutMs: 20 }), { message: /no whole answer within 20 ms/ })
  silent.closeAllConnections()
  silent.close()
})
