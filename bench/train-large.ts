import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bench, BenchRow } from './harness.ts'
import { writeOrders } from './workloads/orders.ts'
import type { ChildResult, ChildTask } from './workloads/train-child.ts'

const child = fileURLToPath(new URL('workloads/train-child.ts', import.meta.url))

const bench: Bench = {
  name: 'train-large',
  describe: 'training sets that exceed their memory: time and peak memory of the process, by threads, in memory or not',
  async run(context) {
    // A hundred million is the size that memory is promised for: five minutes, and 4 GB of disk beside the spills.
    const events = context.quick ? 400_000 : Number(process.env['EVENTS'] ?? 100_000_000)
    const counts = { events, labels: events / 20, users: events / 100 }
    const files = { events: join(context.folder, 'events.parquet'), labels: join(context.folder, 'labels.parquet') }
    await writeOrders(files, counts)
    const rows: BenchRow[] = [
      { what: 'events', value: counts.events, unit: 'rows' },
      { what: 'spine', value: counts.labels, unit: 'rows', note: `${counts.users} users` },
    ]
    const sums = new Set<string>()
    const spilled = ['spilled', context.quick ? 2 ** 20 : 2 ** 28] as const
    const inMemory = ['in memory', 2 ** 36] as const
    // In memory, the largest size is more than machines of this kind have.
    for (const [where, memory] of events > 50_000_000 ? [spilled] : [inMemory, spilled]) {
      for (const threads of [1, 2]) {
        const task = { ...files, output: join(context.folder, 'out.parquet'), threads, memory }
        const { ms, rssBytes, sha256 } = runChild(task)
        sums.add(sha256)
        const what = `${where}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
        rows.push({ what, value: (counts.events / ms) * 1_000, unit: 'events/s' })
        rows.push({ what: `${what}: peak memory`, value: rssBytes / 2 ** 20, unit: 'MB' })
        context.log(`${what}: ${Math.round(ms)} ms, ${Math.round(rssBytes / 2 ** 20)} MB`)
      }
    }
    rows.push({ what: 'different files', value: sums.size, unit: 'files', note: 'by their SHA-256; 1 is right' })
    return rows
  },
}

export const { name, describe, run } = bench

function runChild(task: ChildTask): ChildResult {
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--conditions=millrace-source', child, JSON.stringify(task)],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  if (status !== 0) throw new Error(`training ended with ${status}`)
  return JSON.parse(stdout) as ChildResult
}
