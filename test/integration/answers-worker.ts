/**
 * A process that sends events and asks questions, and scores and answers them, until it is killed. Each event is
 * accepted, so what should be there follows from the log alone.
 */
import process from 'node:process'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { model } from '../../src/definition/model.ts'
import { stream } from '../../src/definition/stream.ts'
import { type Mill, millrace } from '../../src/app/mill.ts'
import { float, int, string, timestamp } from '../../src/schema/field.ts'
import { roundDone } from './run-and-kill.ts'

const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const spending = featureView('spending', {
  from: payments,
  by: entity('user', { user: int() }),
  features: (on) => ({ count: on.count({ over: 'lifetime' }), sum: on.sum('amount', { over: '1h' }) }),
})
const risk = model('risk', {
  version: 1,
  input: spending,
  output: { score: float() },
  score: { on: payments },
  from: ({ count, sum }) => ({ score: count + sum / 1_000_000 }),
})

export const partitions = 2

export async function openAnswering(folder: string): Promise<Mill> {
  const options = { definitions: [spending], models: [risk], folder, partitions, checkpointMs: 60 }
  return await millrace({ ...options, answerRequests: true })
}

async function ask(mill: Mill, topic: string, partition: number, count: number): Promise<void> {
  const value = Buffer.from(JSON.stringify({ request_id: 'r', service: 'spending', model: 'risk', keys: { user: 1 } }))
  const bad = Buffer.from('{"request_id":"bad"}')
  const records = Array.from({ length: count }, (_, index) => ({
    key: null,
    value: index % 5 === 4 ? bad : value,
    timestampMs: 1,
  }))
  await mill.log.append(topic, partition, records)
}

if (import.meta.main) {
  const mill = await openAnswering(process.argv[2]!)
  const run = process.argv[3]!
  for (let round = 0; ; round++) {
    const at = Date.UTC(2026, 0, 1) + round * 10
    const events = Array.from({ length: 20 }, (_, index) => ({
      id: `${run}-${round}-${index}`,
      user: index % 7,
      amount: 1,
      at,
    }))
    const partition = round % partitions
    await Promise.all([
      mill.send(payments, events),
      ask(mill, 'feature-requests', partition, 5),
      ask(mill, 'inference-requests', partition, 5),
    ])
    process.stdout.write(roundDone)
  }
}
