// Goal: real servers, MLServer and MLflow's, give through a runner what scikit-learn gives, and their misfits are seen.
// Method: `make_models.py` trains and saves; the servers run as processes. Installing them takes minutes, so this runs
// only where their Python is named:
//     python -m venv s && s/bin/pip install mlserver==1.7.1 mlserver-sklearn==1.7.1     MLSERVER_PYTHON=s/bin/python
//     python -m venv f && f/bin/pip install mlflow==3.18.0 scikit-learn==1.9.1          MLFLOW_PYTHON=f/bin/python
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock } from '../../../../src/base/clock.ts'
import type { RemoteModel } from '../../../../src/definition/declared-model.ts'
import { mlflowScoring, openInference } from '../../../../src/definition/remote-model.ts'
import { openRemoteRunner } from '../../../../src/model/remote/remote-runner.ts'
import { planOf } from '../model-server.ts'

const script = fileURLToPath(new URL('make_models.py', import.meta.url))
const startMsMax = 90_000

type Expected = { readonly rows: readonly (readonly number[])[]; readonly probabilities: readonly number[] }

async function prepare(t: TestContext, kind: 'mlserver' | 'mlflow', python: string) {
  const folder = await mkdtemp(join(tmpdir(), `millrace-${kind}-`))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await promisify(execFile)(python, [script, kind, folder])
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected
  return { folder, expected }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

/** Its process group, since both servers start others. */
function startProcess(
  t: TestContext,
  command: string,
  args: readonly string[],
  options: { cwd: string; env?: object },
) {
  const env = { ...process.env, ...options.env }
  const child = spawn(command, args, { cwd: options.cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const said: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk))
  t.after(async () => {
    if (child.exitCode !== null) return
    process.kill(-child.pid!, 'SIGKILL')
    await once(child, 'exit')
  })
  return { child, said: () => Buffer.concat(said).toString() }
}

async function untilReady(url: string, { child, said }: { child: ChildProcess; said: () => string }): Promise<void> {
  for (const startedAt = performance.now(); performance.now() - startedAt < startMsMax; ) {
    if (child.exitCode !== null) break
    const ready = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
    if (ready) return
    await systemClock.sleep(200)
  }
  assert.fail(`the server did not start: ${said()}`)
}

async function checkScores(from: RemoteModel, { rows, probabilities }: Expected): Promise<void> {
  const runner = await openRemoteRunner(planOf(from), { clock: systemClock, environment: {} })
  try {
    const results = await runner.run({ size: rows.length, width: 2, values: rows.flat() })
    for (const [row, result] of results.entries()) {
      assert.ok('outputs' in result, JSON.stringify(result))
      assert.equal(result.outputs[0], probabilities[row], `row ${row}`)
    }
  } finally {
    await runner.close()
  }
}

const mlserver = process.env['MLSERVER_PYTHON']
test('MLServer: the probabilities of scikit-learn to the bit', {
  skip: mlserver === undefined && 'installing MLServer takes minutes: MLSERVER_PYTHON names one',
}, async (t) => {
  const { folder, expected } = await prepare(t, 'mlserver', mlserver!)
  const [http, grpc, metrics] = [await freePort(), await freePort(), await freePort()]
  const ports = { MLSERVER_HTTP_PORT: `${http}`, MLSERVER_GRPC_PORT: `${grpc}`, MLSERVER_METRICS_PORT: `${metrics}` }
  const python = resolve(mlserver!)
  const server = startProcess(t, join(dirname(python), 'mlserver'), ['start', folder], { cwd: folder, env: ports })
  const url = `http://127.0.0.1:${http}`
  await untilReady(`${url}/v2/models/fraud/ready`, server)
  const outputs = { score: { tensor: 'predict_proba', column: 1 } }
  await checkScores(openInference({ url, model: 'fraud', outputs, timeoutMs: 10_000 }), expected)
  await checkScores(openInference({ url, model: 'fraud', version: '3', outputs, timeoutMs: 10_000 }), expected)
  const wrong = openInference({ url, model: 'fraud', timeoutMs: 10_000 })
  await assert.rejects(checkScores(wrong, expected), { code: 'MODEL_REFUSED', message: /no output "score"/ })
  const absent = openInference({ url, model: 'absent', outputs, timeoutMs: 10_000 })
  await assert.rejects(checkScores(absent, expected), /REMOTE_REFUSED.*status 404/)
})

const mlflow = process.env['MLFLOW_PYTHON']
test('MLflow: the probabilities of scikit-learn to the bit', {
  skip: mlflow === undefined && 'installing MLflow takes minutes: MLFLOW_PYTHON names one',
}, async (t) => {
  const { folder, expected } = await prepare(t, 'mlflow', mlflow!)
  const port = await freePort()
  const python = resolve(mlflow!)
  const args = ['models', 'serve', '-m', join(folder, 'model'), '-h', '127.0.0.1', '-p', `${port}`, '-w', '1']
  const env = { PATH: `${dirname(python)}:${process.env['PATH']}`, MLFLOW_DISABLE_TELEMETRY: 'true' }
  const server = startProcess(t, join(dirname(python), 'mlflow'), [...args, '--env-manager', 'local'], {
    cwd: folder,
    env,
  })
  const url = `http://127.0.0.1:${port}`
  await untilReady(`${url}/ping`, server)
  const outputs = { score: { tensor: 'score', column: 1 } }
  await checkScores(mlflowScoring({ url, outputs, timeoutMs: 10_000 }), expected)
  const outside = mlflowScoring({ url, outputs: { score: { tensor: 'score', column: 2 } }, timeoutMs: 10_000 })
  await assert.rejects(checkScores(outside, expected), { code: 'MODEL_REFUSED', message: /gave no output/ })
  const otherColumns = { ...planOf(mlflowScoring({ url, outputs, timeoutMs: 10_000 })) }
  const inputs = otherColumns.inputs.map((input) => ({ ...input, name: `other_${input.name}` }))
  const runner = await openRemoteRunner({ ...otherColumns, inputs }, { clock: systemClock, environment: {} })
  const [first] = await runner.run({ size: 1, width: 2, values: [1, 2] })
  await runner.close()
  assert.ok(first !== undefined && 'failure' in first && first.failure.reason === 'REMOTE_REFUSED')
})
