import { type BenchContext, type BenchRow, compare, figure, median } from './harness.ts'
import { type Load, runLoad } from './load.ts'
import { startNodeHttp, type ServerProcess } from './peers/node-http.ts'
import { keysOf, lastMs } from './workloads/cards.ts'

const connections = 16
/** The rate at which the aim of 10 ms is to be met. */
const perSecond = 500
const runsMax = 3

function loadOf(port: number, model: string, seconds: number): Load {
  const body = (n: number): string => JSON.stringify({ model, entities: [keysOf(n)], asOf: lastMs })
  return { port, path: '/v1/predict', connections, seconds, body }
}

async function run(load: Load) {
  const result = await runLoad(load)
  if (result.refused > 0) throw new Error(`${result.refused} predictions were refused`)
  return result
}

/** `POST /v1/predict` of one entity: how many, and how long at a fixed rate. */
export async function measureHttp(context: BenchContext, server: ServerProcess): Promise<BenchRow[]> {
  const seconds = context.quick ? 0.5 : 1
  const load = (port: number): Load => loadOf(port, 'boosted', seconds)
  const answer = await answerText(load(server.port))
  const bare = await startNodeHttp('x'.repeat(Buffer.byteLength(answer)))
  try {
    const measure = (port: number) => async (): Promise<number> => (await run(load(port))).requestsPerSecond
    const what = 'HTTP predict, 1 entity'
    const rows = await compare(
      { ...context, runs: Math.min(context.runs, runsMax) },
      {
        contender: { what, measure: measure(server.port) },
        peer: { what: `node:http, ${Buffer.byteLength(answer)} bytes`, measure: measure(bare.port) },
        unit: 'requests/s',
        better: 'higher',
      },
    )
    const sides = [
      { label: what, port: server.port },
      { label: 'node:http', port: bare.port },
    ]
    const timed: BenchRow[] = []
    for (const { label, port } of sides) timed.push(...(await atRate(context, { label, load: load(port) })))
    return [...rows, ...timed]
  } finally {
    await bare.close()
  }
}

async function atRate(
  { runs, quick }: BenchContext,
  { label, load }: { readonly label: string; readonly load: Load },
): Promise<BenchRow[]> {
  const results = []
  for (let turn = 0; turn < Math.min(runs, runsMax); turn++) {
    results.push(await run({ ...load, perSecond, seconds: quick ? 1 : 3 }))
  }
  const cores = median(results.map(({ generatorCores }) => generatorCores))
  const note = `open loop, waiting included; the generator took ${figure(cores)} cores`
  const percents = { p50: results.map(({ p50Ms }) => p50Ms), p99: results.map(({ p99Ms }) => p99Ms) }
  return Object.entries(percents).map(([name, samples]) => {
    const what = `${label}, ${perSecond} requests/s, ${name}`
    return { what, value: median(samples), unit: 'ms', samples, note }
  })
}

async function answerText({ port, path, body }: Load): Promise<string> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: body(1) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return text
}

/** CPU of the server a prediction, of a model with a shadow and of one without. */
export async function measureShadow(context: BenchContext, server: ServerProcess): Promise<readonly BenchRow[]> {
  const measure = (model: string) => async (): Promise<number> => {
    const load = { ...loadOf(server.port, model, context.quick ? 1 : 2), perSecond: 1_000 }
    const before = await server.cpuSeconds()
    const { requests } = await run(load)
    return (((await server.cpuSeconds()) - before) / requests) * 1e6
  }
  const rows = await compare(
    { ...context, runs: Math.min(context.runs, runsMax) },
    {
      contender: { what: 'CPU, a prediction without shadow', measure: measure('alone') },
      peer: { what: 'CPU, a prediction with a shadow', measure: measure('shadowed') },
      unit: 'us CPU/prediction',
      better: 'lower',
    },
  )
  const note = 'HTTP, 1 entity, up to 1,000 requests/s; the shadow is the same trees, run after the answer has gone out'
  return rows.map((row) => ({ ...row, note }))
}
