import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Bench, type BenchContext, type BenchRow, figure } from './harness.ts'
import { type LoadResult, runLoad } from './load.ts'
import { cumulativeChart, type Line, type LineChart } from './plot.ts'
import { type ServerProcess, startServerProcess } from './peers/node-http.ts'
import { payments } from './workloads/payments.ts'

const perRequest = 50
const connections = 8

const bench: Bench = {
  name: 'freshness',
  describe:
    'From the first byte of an event sent over HTTP to the last of a served vector that counts it, at a tenth and at half of what the server takes',
  async run(context) {
    const server = await startServerProcess(new URL('workloads/mill-server.ts', import.meta.url), {
      folder: join(context.folder, 'data'),
    })
    try {
      return await measure(context, server)
    } finally {
      await server.close()
    }
  },
}

export const { name, describe, run } = bench

async function measure(context: BenchContext, server: ServerProcess): Promise<BenchRow[]> {
  const seconds = context.quick ? 3 : 5 * context.runs
  const capacity = await capacityOf(server, context.quick ? 2 : 5)
  context.log(`capacity ${figure(capacity)} events/s`)
  const rows: BenchRow[] = [
    {
      what: 'capacity',
      value: capacity,
      unit: 'events/s',
      note: `closed loop, ${connections} connections, ${perRequest} events a request, until the last is folded`,
    },
  ]
  const lines: Line[] = []
  for (const [label, share] of [
    ['tenth', 0.1],
    ['half', 0.5],
  ] as const) {
    const perSecond = (capacity * share) / perRequest
    const { samples, load, shareOfServer } = await underLoad(server, { perSecond, seconds })
    if (load.refused > 0) throw new Error(`${load.refused} requests were refused`)
    const sorted = samples.toSorted((a, b) => a - b)
    for (const percent of [50, 95, 99]) {
      rows.push({
        what: `freshness, ${label} load, p${percent}`,
        value: sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]!,
        unit: 'ms',
        note: `${sorted.length} events looked for, one after the other, each read again until it is there`,
      })
    }
    rows.push(
      { what: `load, ${label}`, value: load.requestsPerSecond * perRequest, unit: 'events/s', note: 'open loop' },
      { what: `load generator, ${label} load`, value: load.generatorCores, unit: 'cores', note: 'looking included' },
      { what: `server, ${label} load`, value: shareOfServer, unit: 'cores' },
    )
    lines.push({ ...cumulativeChart('', '', samples).lines[0]!, name: `${label} of capacity` })
    context.log(`${label}: p50 ${figure(rows.find(({ what }) => what === `freshness, ${label} load, p50`)!.value)} ms`)
  }
  const { x, y } = cumulativeChart('', 'ms from event to vector', [])
  const chart: LineChart = { kind: 'lines', title: 'Events that a served vector counts', x, y, lines }
  context.chart(chart)
  return rows
}

let made = 0

function eventText(customerId: number): string {
  made += 1
  return `{"paymentId":"f${made}","customerId":${customerId},"terminalId":${made % 997},"amount":12.5,"currency":"EUR","channel":"web","country":"FR","device":"d123456","category":"groceries","fraud":false,"at":${Date.now() - 1},"loyalty":null,"note":"one of many"}`
}

function batchText(): string {
  return `[${Array.from({ length: perRequest }, () => eventText(made % 10_000)).join(',')}]`
}

const path = `/v1/events/${payments.name}`

/** Events a second, from the first one sent to the last one folded. */
async function capacityOf(server: ServerProcess, seconds: number): Promise<number> {
  const startedAt = performance.now()
  const { requests, refused } = await runLoad({ port: server.port, path, body: batchText, connections, seconds })
  if (refused > 0) throw new Error(`${refused} requests were refused`)
  while ((await foldedBy(server)) < requests * perRequest) await sleep(10)
  return (requests * perRequest) / ((performance.now() - startedAt) / 1_000)
}

async function foldedBy(server: ServerProcess): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text()
  return Number(/^events_processed_total\{stream="payments",status="accepted"\} (\d+)$/m.exec(text)?.[1] ?? 0)
}

type Watched = { readonly samples: readonly number[]; readonly load: LoadResult; readonly shareOfServer: number }

async function underLoad(
  server: ServerProcess,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<Watched> {
  const startedAt = performance.now()
  const cpuBefore = await server.cpuSeconds()
  const loading = runLoad({ port: server.port, path, body: batchText, connections, perSecond, seconds })
  const samples: number[] = []
  // The first second brings everything to its pace.
  while (performance.now() - startedAt < seconds * 1_000) {
    const ms = await freshnessOf(server)
    if (performance.now() - startedAt > 1_000) samples.push(ms)
    await sleep(5)
  }
  const load = await loading
  const cpu = (await server.cpuSeconds()) - cpuBefore
  return { samples, load, shareOfServer: cpu / ((performance.now() - startedAt) / 1_000) }
}

/** Sends an event of a customer that was never seen, and reads until it counts. Milliseconds. */
async function freshnessOf(server: ServerProcess): Promise<number> {
  const customerId = 1_000_000 + made
  const body = eventText(customerId)
  const wanted = JSON.stringify({ service: 'fraud', entities: [{ customerId, terminalId: 1 }] })
  const startedAt = performance.now()
  await post(server, path, body)
  for (;;) {
    const { rows } = (await post(server, '/v1/features', wanted)) as { rows: { values: (number | null)[] }[] }
    const elapsedMs = performance.now() - startedAt
    if (rows[0]!.values[0] === 1) return elapsedMs
    if (elapsedMs > 60_000) throw new Error('an event is not in its vector after a minute')
  }
}

async function post(server: ServerProcess, to: string, body: string): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://127.0.0.1:${server.port}${to}`, { method: 'POST', headers, body })
  if (!answer.ok) throw new Error(await answer.text())
  return await answer.json()
}
