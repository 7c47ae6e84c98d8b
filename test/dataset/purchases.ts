import { writeFile } from 'node:fs/promises'
import {
  boolean,
  decimal,
  entity,
  featureService,
  featureView,
  float,
  int,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'

const source = stream('purchases', {
  fields: {
    id: string(),
    customer: string(),
    shop: int(),
    online: boolean(),
    amount: decimal(2),
    weight: float().optional(),
    category: string().optional(),
    at: timestamp('ms'),
  },
  time: 'at',
  id: 'id',
  lateness: '1d',
})

const customer = entity('customer', { customer: string() })
const pair = entity('pair', { customer: string(), shop: int(), online: boolean() })

/** Every kind of column, key and feature: text and numbers, ties, lists, computed features, a ttl. */
export const purchases = featureService('purchases_v1', [
  featureView('by_customer', {
    from: source,
    by: customer,
    ttl: '20d',
    features: (on) => ({
      count_7d: on.count({ over: '7d' }),
      total_7d: on.sum('amount', { over: '7d' }),
      weight_mean: on.mean('weight', { over: '30d', offset: '1d' }),
      weight_spread: on.stddev('weight', { over: '30d' }),
      largest: on.max('weight', { over: '3d' }),
      first_category: on.min('category', { over: '7d' }),
      last_category: on.last('category', { over: 'lifetime' }),
      categories: on.distinctCount('category', { over: '7d' }),
      last_three: on.lastK('category', { over: '30d', k: 3 }),
      online_share: on.mean('online', { over: '7d' }),
      last_online: on.last('online', { over: '7d' }),
      busier: on.count({ over: '1d' }).gt(on.count({ over: '7d' }).dividedBy(7)),
      ratio: on.sum('amount', { over: '1d' }).dividedBy(on.sum('amount', { over: '7d' })),
    }),
  }),
  featureView('by_pair', {
    from: source,
    by: pair,
    where: (purchase) => purchase.amount.gt(1),
    features: (on) => ({
      pair_count: on.count({ over: 'lifetime' }),
      pair_heavy: on.where((purchase) => purchase.online).sum((purchase) => purchase.weight.times(2), { over: '30d' }),
    }),
  }),
])

const categories = ['food', 'żółw 🐢', '', 'tools', '\uffff']

/** Some events, not in order of time, a few of them twice; and rows that ask for customers, known and unknown. */
export async function writePurchases(files: { events: string; spine: string }, count: number): Promise<void> {
  const random = makeRandom(7)
  const pick = (most: number): number => Math.floor(random() * most)
  const day = 86_400_000
  const start = Date.UTC(2026, 0, 1)
  const quote = (text: string): string => `"${text}"`
  const events = Array.from({ length: count }, (_, index) => {
    const id = index % 50 === 49 ? index - 7 : index
    const weight = pick(5) === 0 ? '' : String((random() - 0.3) * 10 ** pick(6))
    const category = pick(4) === 0 ? '' : quote(categories[pick(5)]!)
    // Few instants, so that times are equal and ids decide.
    const at = start + pick(60) * day + pick(6) * 3_600_000
    return [`p${id}`, `c${pick(80)}`, pick(4), pick(2) === 0, pick(9_000) / 100, weight, category, at].join(',')
  })
  await writeFile(files.events, ['id,customer,shop,online,amount,weight,category,at', ...events].join('\n'))
  const rows = Array.from({ length: count / 2 }, (_, index) =>
    [index, `c${pick(90)}`, pick(5), pick(2) === 0, start + pick(70) * day + pick(24) * 3_600_000].join(','),
  )
  await writeFile(files.spine, ['label,customer,shop,online,asked_at', ...rows].join('\n'))
}

function makeRandom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
