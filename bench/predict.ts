import { join } from 'node:path'
import type { Bench } from './harness.ts'
import { measureBatches } from './predict-batch.ts'
import { measureHttp, measureShadow } from './predict-http.ts'
import { measureStream } from './predict-stream.ts'
import { measureSwitches } from './predict-switch.ts'
import { startServerProcess } from './peers/node-http.ts'
import { runtimeLacks } from './predict-batch.ts'

const bench: Bench = {
  name: 'predict',
  describe:
    'Predictions by boosted trees (ONNX, 15 inputs of 3 views): from an event to its durable prediction at 1, 5 and 10 thousand a second, over HTTP against bare node:http, rows a run, with a shadow, and while versions are switched',
  peers: ['onnxruntime-node'],
  lacks: runtimeLacks,
  async run(context) {
    const rows = [...(await measureBatches(context)), ...(await measureStream(context))]
    const folder = join(context.folder, 'http')
    const server = await startServerProcess(new URL('workloads/predict-server.ts', import.meta.url), { folder })
    try {
      rows.push(...(await measureHttp(context, server)))
      rows.push(...(await measureShadow(context, server)))
      rows.push(...(await measureSwitches(context, server)))
    } finally {
      await server.close()
    }
    return rows
  },
}

export const { name, describe, peers, lacks, run } = bench
