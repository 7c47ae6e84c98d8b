/** Trains as its JSON argument says, in a process of its own, and says how long it took and how much memory at most. */
import { train } from 'millrace'
import { ordersPlan, userOrders } from './orders.ts'

export type ChildTask = {
  readonly events: string
  readonly labels: string
  readonly output: string
  readonly threads: number
  readonly memory: number
}
export type ChildResult = {
  readonly ms: number
  readonly rssBytes: number
  readonly sha256: string
  readonly cpuMs: number
}

const { events, labels, ...options } = JSON.parse(process.argv[2]!) as ChildTask
const start = performance.now()
let phase = ''
const { output } = await train({
  plan: ordersPlan,
  target: userOrders.name,
  spine: labels,
  at: 'asked_at',
  history: { files: { orders: [events] } },
  ...options,
  onProgress: (progress) => {
    if (progress.phase !== phase)
      process.stderr.write(`${Math.round(performance.now() - start)} ms  ${(phase = progress.phase)}\n`)
  },
})
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
const result: ChildResult = {
  ms: performance.now() - start,
  rssBytes: maxRSS * 1_024,
  cpuMs: (userCPUTime + systemCPUTime) / 1_000,
  sha256: output.sha256,
}
process.stdout.write(JSON.stringify(result))
