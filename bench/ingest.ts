import { join } from 'node:path'
import { millrace } from 'millrace'
import { type Bench, type BenchContext, type BenchRow, compare, repeat } from './harness.ts'
import { runLoad } from './load.ts'
import { startNodeHttp, startServerProcess } from './peers/node-http.ts'
import { fraudFeatures, makePayments, payments } from './workloads/payments.ts'

const seconds = 3
const perRequest = 200
const bodies = 400_000

const bench: Bench = {
  name: 'ingest',
  describe:
    'Events over HTTP until durable in the log, one and many per request, against bare node:http; log to store in one process',
  async run(context) {
    return [...(await overHttp(context)), ...(await logToStore(context))]
  },
}

export const { name, describe, run } = bench

async function overHttp(context: BenchContext): Promise<BenchRow[]> {
  const raw = makePayments({ events: bodies, customers: 10_000, keys: 'uniform', stepMs: 10 }).map(String)
  const server = await startServerProcess(new URL('workloads/mill-server.ts', import.meta.url), {
    folder: join(context.folder, 'http'),
  })
  const bare = await startNodeHttp('{"accepted":1,"offsets":[{"partition":0,"offset":1}]}')
  const path = `/v1/events/${payments.name}`
  // Ids repeat once the bodies are used up: those requests are answered alike, their events become duplicates.
  const single = { path, connections: 64, seconds, body: (n: number) => raw[n % bodies]! }
  const batched = {
    path,
    connections: 8,
    seconds,
    body: (n: number) =>
      `[${Array.from({ length: perRequest }, (_, i) => raw[(n * perRequest + i) % bodies]!).join(',')}]`,
  }
  const perSecond = async (port: number, load: typeof single, each: number): Promise<number> => {
    const result = await runLoad({ ...load, port })
    if (result.refused > 0) throw new Error(`${result.refused} requests were refused`)
    return result.requestsPerSecond * each
  }
  const ones = await compare(context, {
    contender: { what: 'HTTP to durable, 1 event a request', measure: () => perSecond(server.port, single, 1) },
    peer: { what: 'node:http, the same requests', measure: () => perSecond(bare.port, single, 1) },
    unit: 'events/s',
    better: 'higher',
  })
  const many = await compare(context, {
    contender: {
      what: `HTTP to durable, ${perRequest} events a request`,
      measure: () => perSecond(server.port, batched, perRequest),
    },
    peer: {
      what: `node:http, the same requests of ${perRequest}`,
      measure: () => perSecond(bare.port, batched, perRequest),
    },
    unit: 'events/s',
    better: 'higher',
  })
  await server.close()
  await bare.close()
  return [
    ...ones,
    ...many,
    {
      what: 'connections',
      value: 64,
      unit: 'and 8 for many',
      note: 'in: decode, append, fsync; the engine folds meanwhile',
    },
  ]
}

/** How fast the engine takes what is in the log: read, verdict, fold, checkpoints. */
async function logToStore(context: BenchContext): Promise<BenchRow[]> {
  const events = 100_000
  const raw = makePayments({ events, customers: 10_000, keys: 'uniform', stepMs: 50 })
  let run = 0
  const row = await repeat(
    context,
    {
      what: 'log to store, embedded engine',
      measure: async () => {
        const folder = join(context.folder, `engine-${run++}`)
        const mill = await millrace({ definitions: [fraudFeatures], folder })
        const startedAt = performance.now()
        for (let from = 0; from < events; from += 10_000)
          await mill.ingest(payments.name, raw.slice(from, from + 10_000))
        await mill.caughtUp()
        await mill.close()
        return events / ((performance.now() - startedAt) / 1_000)
      },
    },
    'events/s',
  )
  return [
    {
      ...row,
      note: 'in: decode twice, append, fsync, read back, fold of 2 entities, checkpoints, the last one at close',
    },
  ]
}
