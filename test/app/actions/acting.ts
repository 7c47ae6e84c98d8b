import { mkdtemp } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  action,
  type Action,
  entity,
  env,
  featureView,
  float,
  int,
  type Mill,
  millrace,
  type MillOptions,
  model,
  stream,
  string,
  timestamp,
  topic,
  webhook,
} from '../../../src/index.ts'

export const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const user = entity('user', { user: int() })
export const spending = featureView('spending', {
  from: payments,
  by: user,
  features: (on) => ({ amount: on.last('amount', { over: '1h' }) }),
})
/** The score of a payment is its amount; a negative one is a failure. */
export const risk = model('risk', {
  version: 1,
  input: spending,
  output: { score: float() },
  score: { on: payments },
  from: ({ amount }) => {
    if (amount < 0) throw new Error('no score')
    return { score: amount }
  },
})
export const toTopic = action('block', { on: risk, when: (p) => p.score.gt(0.8), to: topic('blocked') })

export const secretName = 'MILLRACE_TEST_SECRET'
export const secret = 'test secret'

export function toWebhook(url: string, options: Partial<Parameters<typeof webhook>[0]> = {}): Action {
  const to = webhook({ url, secret: env(secretName), perSecond: 1_000, attempts: 3, timeout: '10s', ...options })
  return action('call', { on: risk, when: (p) => p.score.gt(0.8), to })
}

export const atMs = Date.UTC(2026, 0, 1, 12)

export function payment(index: number, amount: number) {
  return { id: `p${index}`, user: index % 3, amount, at: atMs + index }
}

export async function makeFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'millrace-actions-'))
}

export async function open(
  folder: string,
  actions: readonly Action[],
  options: Partial<MillOptions> = {},
): Promise<Mill> {
  const definitions = [spending, ...actions]
  return await millrace({ definitions, models: [risk], folder, partitions: 2, checkpointMs: 50, ...options })
}

/** Everything sent is scored, and every prediction done with. */
export async function settled(mill: Mill): Promise<void> {
  await mill.caughtUp()
  await mill.engine.checkpoint()
  await mill.actions!.caughtUp()
}

/** Every record of a topic, in the order of partitions. */
export async function recordsOf(mill: Mill, name: string) {
  const partitions = mill.log.topics().find((one) => one.topic === name)?.partitions ?? 0
  const lists = await Promise.all(
    Array.from({ length: partitions }, async (_, partition) => {
      const { records } = await mill.log.read(name, partition, 0, 64 * 1024 * 1024)
      return records
    }),
  )
  return lists.flat()
}

export async function valuesOf(mill: Mill, name: string): Promise<Record<string, unknown>[]> {
  const records = await recordsOf(mill, name)
  return records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as Record<string, unknown>)
}

/** The payments that were acted on, sorted. */
export function idsIn(values: readonly Record<string, unknown>[]): string[] {
  return values.map((one) => (one['prediction'] as { request_id: string }).request_id).toSorted()
}

export type Received = { readonly headers: IncomingMessage['headers']; readonly body: string; readonly atMs: number }

/** A receiver of webhooks; `answer` says what it does with the n-th request of all. */
export async function receive(
  answer: (response: ServerResponse, received: Received, count: number) => void,
): Promise<{ readonly url: string; readonly received: readonly Received[]; close(): Promise<void> }> {
  const received: Received[] = []
  const server: Server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const one = { headers: request.headers, body: Buffer.concat(pieces).toString(), atMs: performance.now() }
      received.push(one)
      answer(response, one, received.length - 1)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
