import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { encodeKey } from '../src/schema/key-codec.ts'
import { openEmbeddedOnlineStore } from '../src/store/online/embedded/embedded-online-store.ts'
import type { Bench, BenchContext, BenchRow } from './harness.ts'
import { PlainFold } from './peers/plain-fold.ts'
import { redisStringBytes } from './peers/redis-bytes.ts'
import { RedisServer } from './peers/redis-server.ts'
import { rocksdbBytes } from './peers/rocksdb-bytes.ts'
import { CardEvents, cardViews, type CardWorkload, startMs } from './workloads/card-events.ts'
import { FoldRun } from './workloads/fold-run.ts'

const dayMs = 86_400_000
const unit = 'bytes per key'

const densities = [
  { label: 'sparse, 4 events', perKey: 4, keys: 100_000 },
  { label: 'typical, 30 events', perKey: 30, keys: 20_000 },
  { label: 'dense, 200 events', perKey: 200, keys: 4_000 },
] as const

type Density = (typeof densities)[number]

const bench: Bench = {
  name: 'memory',
  describe:
    'Bytes that the state of a key takes, in memory and in the store, against the same events as JSON in Redis and as rows of a Kafka Streams window store',
  async run(context) {
    const redis = await RedisServer.start()
    const rows: BenchRow[] = []
    const groups: { readonly title: string; readonly rows: readonly BenchRow[] }[] = []
    for (const density of context.quick ? densities.slice(0, 2) : densities) {
      const found = [...(await ours(context, density)), ...plain(density), ...(await theirs(density, redis))]
      for (const { what, value } of found) context.log(`${what}: ${Math.round(value)} ${unit}`)
      groups.push({ title: density.label, rows: found })
      rows.push(...found)
    }
    await redis?.close()
    for (const group of groups) drawBars(context, group)
    return rows
  },
}

export const { name, describe, run } = bench

function drawBars(context: BenchContext, group: { readonly title: string; readonly rows: readonly BenchRow[] }): void {
  context.chart({
    kind: 'bars',
    title: `A key, ${group.title}`,
    unit: 'bytes',
    bars: group.rows.map(({ what, value, side }) => ({
      name: what.split(': ')[1]!,
      role: side === 'peer' ? 'peer' : 'ours',
      value,
    })),
  })
}

/** Every customer has the same number of events, over 30 days, all of them inside the window. */
function workloadOf({ keys, perKey }: Density): CardWorkload {
  return { customers: keys, spread: 'in turn', stepMs: (30 * dayMs) / (keys * perKey) }
}

async function ours(context: BenchContext, density: Density): Promise<BenchRow[]> {
  const { keys, perKey, label } = density
  const folder = join(context.folder, `store-${perKey}`)
  mkdirSync(folder, { recursive: true })
  const store = await openEmbeddedOnlineStore({ folder })
  const customers = cardViews('flat', { windowsMs: [31 * dayMs], ids: false })[0]!
  const events = new CardEvents(workloadOf(density))
  const emptyBytes = folderBytes(folder)
  const { inMemory, stateBytes } = await grown(() => new FoldRun([customers], store), events, keys * perKey)
  const onDisk = folderBytes(folder) - emptyBytes
  const afterReload = readBack(() => new FoldRun([customers], store), keys, events.newestMs + 1)
  await store.close()
  return [
    {
      what: `${label}: millrace, in memory`,
      value: inMemory / keys,
      unit,
      side: 'ours',
      note: 'measured, heap and buffers: time, amount and fraud of each event, key, head, index, room to grow, and the room that all keys left behind when all grew at once',
    },
    {
      what: `${label}: millrace, in memory after a restart`,
      value: afterReload / keys,
      unit,
      side: 'ours',
      note: 'measured: the same states, read back from the store',
    },
    {
      what: `${label}: millrace, record`,
      value: stateBytes / keys,
      unit,
      side: 'ours',
      note: 'measured: key and value as encoded',
    },
    {
      what: `${label}: millrace, file of the store`,
      value: onDisk / keys,
      unit,
      side: 'ours',
      note: 'measured: pages of the B-tree, filled once in the order of the keys\u2019 first events',
    },
  ]
}

/** Bytes of the states after the events, and of their records. What it used is garbage when it returns. */
async function grown(
  open: () => FoldRun,
  events: CardEvents,
  count: number,
): Promise<{ readonly inMemory: number; readonly stateBytes: number }> {
  const before = usedBytes()
  const fold = open()
  for (let taken = 0; taken < count; taken += 20_000) fold.take(events.next(Math.min(20_000, count - taken)))
  const { stateBytes } = await fold.checkpoint()
  const inMemory = usedBytes() - before
  if (fold.counts.accepted !== count) throw new Error(`${fold.counts.accepted} events were accepted`)
  return { inMemory, stateBytes }
}

function readBack(open: () => FoldRun, keys: number, asOf: number): number {
  const before = usedBytes()
  const fold = open()
  for (let key = 0; key < keys; key++) fold.read('customers', { customerId: key }, asOf)
  const used = usedBytes() - before
  if (fold.counts.records > 0) throw new Error('nothing was to be folded')
  return used
}

function plain(density: Density): BenchRow[] {
  const { keys, perKey, label } = density
  const events = new CardEvents(workloadOf(density))
  const before = usedBytes()
  const fold = new PlainFold({ customerMs: 31 * dayMs, terminalMs: 0 })
  for (let taken = 0; taken < keys * perKey; taken += 20_000)
    fold.takeAll(events.next(Math.min(20_000, keys * perKey - taken)))
  fold.terminals.clear()
  const value = (usedBytes() - before) / fold.customers.size
  return [
    {
      what: `${label}: plain Map of objects`,
      value,
      unit,
      side: 'peer',
      note: 'measured, heap: an array of { at, amount, fraud }',
    },
  ]
}

async function theirs({ keys, perKey, label }: Density, redis: RedisServer | null): Promise<BenchRow[]> {
  const timesOf = (key: number): number[] =>
    Array.from(
      { length: perKey },
      (_, nth) => startMs + Math.floor(((nth * keys + key) * 30 * dayMs) / (keys * perKey)),
    )
  const nameOf = (key: number): string => `customers:${String(key).padStart(6, '0')}`
  const json = (key: number): string =>
    JSON.stringify({ events: timesOf(key).map((at, nth) => [at, 10_000 + ((key + nth) % 10_000), 0]) })
  const computed = redisStringBytes(nameOf(0).length, json(0).length, keys)
  const rows: BenchRow[] = [
    {
      what: `${label}: JSON in Redis`,
      value: computed.total,
      unit,
      side: 'peer',
      note: `computed: ${computed.arithmetic}; an event is [at,amount,fraud]`,
    },
  ]
  if (redis === null)
    rows.push({
      what: `${label}: JSON in Redis, checked`,
      value: Number.NaN,
      unit,
      note: 'not checked: no redis-server on the PATH',
    })
  else rows.push(...(await checkedBy(redis, { label, keys, nameOf, json })))
  const rocks = rocksdbBytes({
    keys: Array.from({ length: keys }, (_, key) => key)
      .map((key) => [encodeKey(['int'], [key]), timesOf(key)] as const)
      .sort(([one], [other]) => Buffer.compare(one, other)),
    // A double and a byte: amount and fraud.
    valueLength: 9,
  })
  return [
    ...rows,
    {
      what: `${label}: Kafka Streams, RocksDB file`,
      value: rocks.diskPerKey,
      unit,
      side: 'peer',
      note: `computed: ${rocks.arithmetic}`,
    },
    {
      what: `${label}: Kafka Streams, memtable`,
      value: rocks.memtablePerKey,
      unit,
      side: 'peer',
      note: 'computed: internal key and value with lengths, 1.33 pointers a row; only what is not flushed lies there',
    },
  ]
}

type Checked = {
  readonly label: string
  readonly keys: number
  readonly nameOf: (key: number) => string
  readonly json: (key: number) => string
}

async function checkedBy(redis: RedisServer, { label, keys, nameOf, json }: Checked): Promise<BenchRow[]> {
  const before = await redis.usedBytes()
  await redis.setAll(
    (function* () {
      for (let key = 0; key < keys; key++) yield [nameOf(key), json(key)] as const
    })(),
  )
  const used = ((await redis.usedBytes()) - before) / keys
  const usage = await redis.keyBytes(nameOf(0))
  await redis.flush()
  return [
    {
      what: `${label}: JSON in Redis, used_memory`,
      value: used,
      unit,
      side: 'peer',
      note: `measured: INFO memory over ${keys} keys`,
    },
    {
      what: `${label}: JSON in Redis, MEMORY USAGE`,
      value: usage,
      unit,
      side: 'peer',
      note: 'measured, of one key: without the bucket, and the entry not rounded up',
    },
  ]
}

function usedBytes(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => statSync(join(folder, file)))
    .filter((stats) => stats.isFile())
    .reduce((sum, { blocks }) => sum + blocks * 512, 0)
}
