import { compile, entity, featureView, float, int, openTableWriter, stream, timestamp } from 'millrace'

const orders = stream('orders', {
  fields: { order: int(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'order',
  lateness: '1h',
})
const user = entity('user', { user: int() })

/** Counts and exact float sums over an hour and a day. */
export const userOrders = featureView('user_orders', {
  from: orders,
  by: user,
  features: (on) => ({
    count_1h: on.count({ over: '1h' }),
    sum_1h: on.sum('amount', { over: '1h' }),
    count_1d: on.count({ over: '1d' }),
    sum_1d: on.sum('amount', { over: '1d' }),
  }),
})

export const ordersPlan = compile([userOrders])

export type OrderFiles = { readonly events: string; readonly labels: string }
export type OrderCounts = { readonly events: number; readonly labels: number; readonly users: number }

const startMs = Date.UTC(2026, 0, 1)
const spanMs = 30 * 86_400_000
const batchRows = 100_000

/** Thirty days of orders of users drawn alike, in order of time, and as many days of labels at random instants. */
export async function writeOrders(files: OrderFiles, { events, labels, users }: OrderCounts): Promise<void> {
  const random = makeRandom()
  const instant = (share: number): number => startMs + Math.floor(share * spanMs)
  await write(files.events, ['order', 'user', 'amount', 'at'], events, (index) => [
    index,
    Math.floor(random() * users),
    Math.round(random() * 20_000) / 100,
    instant(index / events),
  ])
  await write(files.labels, ['label', 'user', 'asked_at'], labels, (index) => [
    index % 2,
    Math.floor(random() * users),
    instant(random()),
  ])
}

async function write(
  path: string,
  names: readonly string[],
  rows: number,
  rowAt: (index: number) => readonly number[],
): Promise<void> {
  const types = { amount: 'double', at: 'timestamp', asked_at: 'timestamp' } as const
  const columns = names.map((name) => ({ name, type: types[name as keyof typeof types] ?? 'int64', nullable: false }))
  const writer = await openTableWriter(path, columns)
  for (let from = 0; from < rows; from += batchRows) {
    const count = Math.min(batchRows, rows - from)
    const batch = names.map(() => new Float64Array(count))
    for (let row = 0; row < count; row++) {
      const values = rowAt(from + row)
      for (let column = 0; column < values.length; column++) batch[column]![row] = values[column]!
    }
    await writer.write({ rows: count, columns: batch })
  }
  await writer.close()
}

/** xorshift32: the same rows again matter, good randomness does not. */
function makeRandom(): () => number {
  let state = 42
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
