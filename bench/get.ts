import { join } from 'node:path'
import { millrace, type Mill } from 'millrace'
import { type Bench, type BenchContext, type BenchRow, compare, median } from './harness.ts'
import { type Load, runLoad } from './load.ts'
import { startNodeHttp, startServerProcess, type ServerProcess } from './peers/node-http.ts'
import { features10, features250, features50, fraudFeatures, makePayments, payments } from './workloads/payments.ts'

const customers = 1_000
const events = 60_000
const stepMs = 1_000
const lastMs = Date.UTC(2026, 0, 1) + events * stepMs
const connections = 16
const inBytes = 'application/vnd.millrace.vectors.v1'

const targets = [
  { name: 'ten', features: 10 },
  { name: 'fifty', features: 50 },
  { name: 'twohundredfifty', features: 250 },
] as const
const entityCounts = [1, 10, 100]
const sizes = entityCounts.flatMap((entities) => targets.map((target) => ({ ...target, entities })))
type Size = (typeof sizes)[number]

const bench: Bench = {
  name: 'get',
  describe:
    'Reads of 1, 10 and 100 entities x 10, 50 and 250 features: in process, and over HTTP, in JSON and in bytes, against bare node:http sending as many bytes',
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

const definitions = [fraudFeatures, features50, features10, features250]

async function measureInProcess({ folder, runs, quick, log }: BenchContext): Promise<BenchRow[]> {
  const mill = await millrace({ definitions, folder: join(folder, 'in-process') })
  await fill(mill)
  const rows = sizes.flatMap((size) => measureReads(mill, size, quick ? 1 : runs))
  const keys = (read: number) => ({ customerId: read % customers, terminalId: read % (customers / 10) })
  const fraud = () => (read: number) => void mill.read('fraud', keys(read), { asOf: lastMs })
  rows.push(...timed('in process, 7 features of 2 entities, 60 and 600 events each', fraud(), { runs, reads: 20_000 }))
  await mill.close()
  for (const { what, value } of rows) log(`${what} ${value.toFixed(1)} us`)
  return rows
}

function measureReads({ reader }: Mill, { name: service, features, entities }: Size, runs: number): BenchRow[] {
  const prepared = reader.prepare({ service })
  const asked = Array.from({ length: customers }, (_, first) => entitiesFrom(first, entities))
  const reads = Math.max(200, Math.round(200_000 / (entities * features)))
  const read = (n: number) => void reader.readRows(prepared, asked[n % customers]!, { asOf: lastMs, full: false })
  return timed(`in process, ${entities} x ${features}`, read, { runs, reads })
}

function timed(what: string, read: (n: number) => void, count: { runs: number; reads: number }): BenchRow[] {
  const medians: number[] = []
  const p99s: number[] = []
  for (let round = -1; round < count.runs; round++) {
    const took: number[] = []
    for (let n = 0; n < count.reads; n++) {
      const startedAt = performance.now()
      read(n)
      took.push((performance.now() - startedAt) * 1_000)
    }
    if (round < 0) continue
    took.sort((a, b) => a - b)
    medians.push(took[took.length >> 1]!)
    p99s.push(took[Math.floor(took.length * 0.99)]!)
  }
  return [
    { what: `${what}, p50`, value: median(medians), unit: 'us', samples: medians },
    { what: `${what}, p99`, value: median(p99s), unit: 'us', samples: p99s },
  ]
}

function entitiesFrom(first: number, count: number): { customerId: number }[] {
  return Array.from({ length: count }, (_, index) => ({ customerId: (first + index * 7) % customers }))
}

async function measureHttp(context: BenchContext): Promise<BenchRow[]> {
  const folder = join(context.folder, 'http')
  // Filled by this process, then opened again by the server's.
  const mill = await millrace({ definitions, folder })
  await fill(mill)
  await mill.close()
  const server = await startServerProcess(new URL('workloads/mill-server.ts', import.meta.url), { folder, reads: true })
  try {
    const rows: BenchRow[] = []
    for (const size of sizes) {
      for (const accept of ['application/json', inBytes])
        rows.push(...(await compareHttp(context, server, { size, accept })))
    }
    return rows
  } finally {
    await server.close()
  }
}

type Asked = { readonly size: Size; readonly accept: string }

async function compareHttp(context: BenchContext, server: ServerProcess, asked: Asked): Promise<BenchRow[]> {
  const { size, accept } = asked
  const load = (port: number): Load => ({
    port,
    path: '/v1/features',
    accept,
    connections,
    seconds: context.quick ? 0.5 : 1.5,
    body: (n) =>
      JSON.stringify({ service: size.name, entities: entitiesFrom(n, size.entities), asOf: lastMs, full: false }),
  })
  const bytes = await answerBytes(server.port, load(server.port))
  const bare = await startNodeHttp('x'.repeat(bytes))
  try {
    const format = accept === inBytes ? 'bytes' : 'JSON'
    const what = `HTTP read, ${size.entities} x ${size.features}, ${format}`
    const measure = (port: number) => async (): Promise<number> => {
      const result = await runLoad(load(port))
      if (result.refused > 0) throw new Error(`${result.refused} requests were refused`)
      return result.requestsPerSecond
    }
    const rows = await compare(context, {
      contender: { what, measure: measure(server.port) },
      peer: { what: `node:http, ${bytes} bytes`, measure: measure(bare.port) },
      unit: 'requests/s',
      better: 'higher',
    })
    const capacity = rows[0]!.value
    const isMain = size.entities === 1 && size.features === 50
    return isMain ? [...rows, ...(await atRates(load(server.port), what, capacity))] : [...rows]
  } finally {
    await bare.close()
  }
}

async function answerBytes(port: number, { path, accept, body }: Load): Promise<number> {
  const headers = { 'content-type': 'application/json', accept: accept! }
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: body(1) })
  const bytes = new Uint8Array(await answer.arrayBuffer())
  if (!answer.ok) throw new Error(Buffer.from(bytes).toString())
  return bytes.length
}

/** At a tenth and at half of what was measured, requests beginning at a fixed rate: waiting for the server counts. */
async function atRates(load: Load, what: string, capacity: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const [label, share] of [
    ['a tenth', 0.1],
    ['half', 0.5],
  ] as const) {
    const result = await runLoad({ ...load, perSecond: capacity * share, seconds: 2 * load.seconds })
    const note = `open loop, ${Math.round(result.requestsPerSecond)} requests/s; the generator took ${result.generatorCores.toFixed(2)} cores of the two`
    rows.push(
      { what: `${what}, p50 at ${label} of capacity`, value: result.p50Ms, unit: 'ms', note },
      { what: `${what}, p99 at ${label} of capacity`, value: result.p99Ms, unit: 'ms', note },
    )
  }
  return rows
}
