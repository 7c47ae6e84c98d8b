// Goal: what the real MLflow keeps comes over as it was registered, and goes live here.
// Method: its tracking server runs as a process, and MLflow's own client registers a model there. Installing it takes a
// minute and starting it another, which is too much for every landing, so this runs only where its Python is named:
//     python -m venv f && f/bin/pip install mlflow==3.17.2 onnx onnxruntime     MLFLOW_PYTHON=f/bin/python
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { applyInFolder } from '../../../../src/app/apply-in-folder.ts'
import { describeModel } from '../../../../src/app/describe-model.ts'
import { parseReference, readMlflowModel } from '../../../../src/app/mlflow/import-mlflow.ts'
import { changeModelIn, pushModelIn, readModel } from '../../../../src/app/models-in-folder.ts'
import { systemClock } from '../../../../src/base/clock.ts'
import { fraud, scoring } from '../../../cli/model-definitions.ts'
import { logistic } from '../../../model/onnx/make-onnx.ts'

const python = process.env['MLFLOW_PYTHON']
const script = fileURLToPath(new URL('make_version.py', import.meta.url))
const startMsMax = 180_000

const environment = {
  ...process.env,
  MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
  MLFLOW_DISABLE_TELEMETRY: 'true',
  // A server of this machine is asked without whatever proxy the machine has.
  NO_PROXY: '127.0.0.1',
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function startServer(folder: string): Promise<{ url: string; process: ChildProcess }> {
  const port = await freePort()
  const store = ['--backend-store-uri', `sqlite:///${join(folder, 'mlflow.db')}`]
  const place = ['--artifacts-destination', join(folder, 'artifacts'), '--host', '127.0.0.1', '--port', String(port)]
  const args = ['-m', 'mlflow', 'server', ...store, ...place, '--workers', '1']
  const server = spawn(python!, args, { env: environment, stdio: 'ignore', detached: true })
  const url = `http://127.0.0.1:${port}`
  const end = performance.now() + startMsMax
  for (;;) {
    assert.ok(performance.now() < end && server.exitCode === null, 'the server did not start')
    const up = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (up) return { url, process: server }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

test('a version that MLflow registered is imported and goes live', {
  skip: python === undefined && 'installing MLflow takes minutes: MLFLOW_PYTHON names one',
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-mlflow-'))
  const server = await startServer(folder)
  try {
    const file = join(folder, 'fraud.onnx')
    writeFileSync(file, logistic([1, -1], 0))
    await promisify(execFile)(python!, [script, server.url, file], { env: environment })
    const read = (text: string) =>
      readMlflowModel({
        url: server.url,
        reference: parseReference(text),
        bytesMax: 1_000_000,
        environment: {},
        clock: systemClock,
      })
    const found = await read('fraud@champion')
    assert.deepEqual([found.metrics, found.skipped], [{ auc: 0.93 }, ['loss']])
    assert.deepEqual(found.tags, { team: 'risk', 'approved by': 'nobody' })
    assert.match(found.source, /fraud version 1, run [0-9a-f]{32}$/)
    assert.deepEqual((await read('fraud/1')).artefact, found.artefact)
    await assert.rejects(read('fraud'), { code: 'MLFLOW_REFUSED', message: /is saved as .*python_function/ })
    await assert.rejects(read('fraud/3'), { code: 'MLFLOW_REFUSED', message: /no version 3/ })
    await assert.rejects(read('fraud@none'), { code: 'MLFLOW_REFUSED', message: /alias none/ })
    await assert.rejects(read('none'), { code: 'MLFLOW_REFUSED', message: /no version of a model none/ })

    const place = { folder: join(folder, 'data'), log: undefined }
    const ignore = (): void => undefined
    const options = { folder: place.folder, partitions: 1, onApplied: ignore, onState: ignore }
    await applyInFolder({ definitions: [scoring] }, options)
    const { artefact, metrics, tags, source } = found
    const description = { ...(await describeModel(fraud, { tags, source })), metrics }
    await pushModelIn(place, { model: 'fraud', description, artefact }, {})
    await changeModelIn(place, { model: 'fraud', action: { promote: 1, to: 'live' } }, {})
    assert.equal((await readModel('fraud', place)).live, 1)
  } finally {
    // Its workers as well.
    process.kill(-server.process.pid!, 'SIGTERM')
    await once(server.process, 'exit')
    rmSync(folder, { recursive: true, force: true })
  }
})
