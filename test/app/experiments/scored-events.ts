import {
  type Action,
  entity,
  experiment,
  featureView,
  float,
  int,
  type Mill,
  millrace,
  model,
  stream,
  string,
  timestamp,
} from '../../../src/index.ts'

export const payments = stream('payments', {
  fields: { id: string(), user: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const spending = featureView('spending', {
  from: payments,
  by: entity('user', { user: int() }),
  features: (on) => ({ count: on.count({ over: '1h' }) }),
})
const priced = <const Name extends string>(name: Name, price: number) =>
  model(name, {
    version: 1,
    input: spending,
    output: { price: float() },
    from: ({ count }) => ({ price: price * count }),
  })
export const champion = priced('champion', 1)
export const checkout = experiment('checkout', {
  unit: 'user',
  arms: { control: champion, treatment: priced('challenger', 2) },
  shares: { control: 60, treatment: 30 },
  shadows: [priced('candidate', 3)],
  score: { on: payments },
})

/** One payment per user, so that each price is that of the model. */
export function payment(user: number) {
  return { id: String(user), user, at: Date.UTC(2026, 0, 1) + user }
}

export async function open(folder: string, actions: readonly Action[] = []): Promise<Mill> {
  const definitions = [spending, ...actions]
  return await millrace({ definitions, experiments: [checkout], folder, partitions: 2, checkpointMs: 20 })
}

export async function valuesOf(mill: Mill, name: string): Promise<Record<string, unknown>[]> {
  const { partitions } = mill.log.topics().find((one) => one.topic === name)!
  const lists = await Promise.all(
    Array.from({ length: partitions }, async (_, partition) => {
      const { records } = await mill.log.read(name, partition, 0, 64 * 1024 * 1024)
      return records
    }),
  )
  return lists.flat().map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as Record<string, unknown>)
}
