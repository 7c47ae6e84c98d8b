import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ModelPlan } from '../../../src/plan/model-plan.ts'

/** What a server does with a request; by default a logistic regression answers by the Open Inference Protocol. */
export type Behaviour = (request: IncomingMessage, body: Buffer, response: ServerResponse) => void

export type ModelServer = {
  readonly url: string
  behave: Behaviour
  /** Requests that came, by path. */
  readonly asked: string[]
  readonly connections: number
  close(): Promise<void>
}

export async function startModelServer(behave: Behaviour): Promise<ModelServer> {
  const asked: string[] = []
  let connections = 0
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => started.behave(request, Buffer.concat(chunks), response))
  })
  server.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const started = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behave,
    asked,
    get connections() {
      return connections
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return started
}

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z))

/** The formula of all servers here: of two inputs. */
export const scoreOf = (a: number, b: number): number => sigmoid(0.5 * a - 0.25 * b)

export const metadata = {
  name: 'fraud',
  versions: ['3'],
  platform: 'test',
  inputs: [{ name: 'x', datatype: 'FP64', shape: [-1, 2] }],
  outputs: [{ name: 'score', datatype: 'FP64', shape: [-1] }],
}

type Tensor = { name: string; shape: number[]; datatype: string; data: number[] }

/** The Open Inference Protocol, in JSON or with tensors as bytes, as the request has it. */
export const openInferenceServer: Behaviour = (request, body, response) => {
  if (request.method === 'GET') {
    send(response, metadata)
    return
  }
  const head = request.headers['inference-header-content-length']
  const length = head === undefined ? body.length : Number(head)
  const { inputs } = JSON.parse(body.subarray(0, length).toString()) as { inputs: Tensor[] }
  const { shape, data } = inputs[0]!
  const bytes = body.subarray(length)
  const values = head === undefined ? data : [...new Float64Array(new Uint8Array(bytes).buffer)]
  const scores = Array.from({ length: shape[0]! }, (_, row) => scoreOf(values[2 * row]!, values[2 * row + 1]!))
  const output = { name: 'score', shape: [scores.length], datatype: 'FP64' }
  if (head === undefined) {
    send(response, { model_name: 'fraud', model_version: '3', outputs: [{ ...output, data: scores }] })
    return
  }
  const answer = Buffer.from(
    JSON.stringify({
      model_name: 'fraud',
      model_version: '3',
      outputs: [{ ...output, parameters: { binary_data_size: 8 * scores.length } }],
    }),
  )
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'inference-header-content-length': answer.length,
  })
  response.end(Buffer.concat([answer, new Uint8Array(Float64Array.from(scores).buffer)]))
}

export function send(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

export function planOf(from: ModelPlan['from']): ModelPlan {
  return {
    name: 'm',
    version: 1,
    target: 's',
    inputs: ['a', 'b'].map((name, place) => ({ name, type: { kind: 'float' }, place, default: undefined })),
    outputs: [{ name: 'score', kind: 'float', nullable: false }],
    passes: true,
    score: null,
    from,
  }
}
