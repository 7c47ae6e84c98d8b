import { join } from 'node:path'
import { millrace, type Mill } from 'millrace'
import { type Bench, type BenchContext, type BenchRow, compare } from './harness.ts'
import { runLoad } from './load.ts'
import { startNodeHttp, startServerProcess, type ServerProcess } from './peers/node-http.ts'
import { features50, fraudFeatures, makePayments, payments } from './workloads/payments.ts'

const customers = 1_000
const events = 60_000
const stepMs = 1_000
const lastMs = Date.UTC(2026, 0, 1) + events * stepMs
const connections = 16
const seconds = 3

const bench: Bench = {
  name: 'get',
  describe:
    'Reads of one entity: in process (7 and 50 features), and over HTTP against bare node:http sending the same bytes',
  async run(context) {
    const inProcess = await measureInProcess(context)
    return [...inProcess, ...(await measureHttp(context))]
  },
}

export const { name, describe, run } = bench

/** About 60 events per customer, 600 per terminal, all of them inside the longest window. */
async function fill(mill: Mill): Promise<void> {
  const bodies = makePayments({ events, customers, keys: 'uniform', stepMs })
  for (let from = 0; from < bodies.length; from += 10_000) {
    await mill.ingest(payments.name, bodies.slice(from, from + 10_000))
  }
  await mill.caughtUp()
}

async function measureInProcess({ folder, runs, log }: BenchContext): Promise<BenchRow[]> {
  const mill = await millrace({ definitions: [fraudFeatures, features50], folder: join(folder, 'in-process') })
  await fill(mill)
  const rows = [
    measureReads(mill, 'fraud', runs, '7 features of 2 entities, 60 and 600 events each'),
    measureReads(mill, 'fifty', runs, '50 features of 1 entity, 60 events'),
  ]
  await mill.close()
  for (const [p50] of rows) log(`${p50!.what} ${p50!.value} us`)
  return rows.flat()
}

function measureReads(mill: Mill, target: string, runs: number, note: string): BenchRow[] {
  const medians: number[] = []
  const p99s: number[] = []
  for (let run = -1; run < runs; run++) {
    const took: number[] = []
    for (let read = 0; read < 20_000; read++) {
      const startedAt = performance.now()
      mill.read(target, { customerId: read % customers, terminalId: read % (customers / 10) }, { asOf: lastMs })
      took.push((performance.now() - startedAt) * 1_000)
    }
    if (run < 0) continue
    took.sort((a, b) => a - b)
    medians.push(took[took.length >> 1]!)
    p99s.push(took[Math.floor(took.length * 0.99)]!)
  }
  const median = (samples: readonly number[]): number => samples.toSorted((a, b) => a - b)[samples.length >> 1]!
  return [
    { what: `in process, ${target}, p50`, value: median(medians), unit: 'us', samples: medians, note },
    { what: `in process, ${target}, p99`, value: median(p99s), unit: 'us', samples: p99s, note },
  ]
}

async function measureHttp(context: BenchContext): Promise<BenchRow[]> {
  const folder = join(context.folder, 'http')
  // Filled by this process, then opened again by the server's.
  const mill = await millrace({ definitions: [fraudFeatures, features50], folder })
  await fill(mill)
  await mill.close()
  const body = (n: number): string =>
    JSON.stringify({ service: 'fifty', entities: [{ customerId: n % customers }], asOf: lastMs, full: false })
  const server = await startServerProcess(new URL('workloads/mill-server.ts', import.meta.url), { folder })
  const answer = await fetch(`http://127.0.0.1:${server.port}/v1/features`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: body(1),
  })
  const bytes = await answer.text()
  if (!answer.ok) throw new Error(bytes)
  const bare = await startNodeHttp(bytes)
  const latencies: number[] = []
  const shares: number[] = []
  const measure = async (process: ServerProcess, keep: boolean): Promise<number> => {
    const result = await runLoad({ port: process.port, path: '/v1/features', body, connections, seconds })
    if (result.refused > 0) throw new Error(`${result.refused} requests were refused`)
    if (keep) latencies.push(result.p99Ms)
    shares.push(result.generatorCores)
    return result.requestsPerSecond
  }
  const rows = await compare(context, {
    contender: { what: 'HTTP read, 1 entity x 50 features', measure: () => measure(server, true) },
    peer: { what: `node:http, the same ${bytes.length} bytes`, measure: () => measure(bare, false) },
    unit: 'requests/s',
    better: 'higher',
  })
  await server.close()
  await bare.close()
  const largest = Math.max(...shares)
  return [
    ...rows,
    {
      what: 'HTTP read, p99 at saturation',
      value: Math.max(...latencies),
      unit: 'ms',
      note: `${connections} connections, closed loop`,
    },
    { what: 'load generator', value: largest, unit: 'cores', note: 'of the machine that the server shares with it' },
  ]
}
