import { execFileSync } from 'node:child_process'
import { cpus, loadavg, totalmem, type } from 'node:os'
import process from 'node:process'
import { type Campaign, percentile } from './campaign.ts'

/** Where and when something was measured. */
export type Circumstances = {
  readonly date: string
  readonly commit: string
  readonly machine: string
  readonly node: string
  /** Processes that wanted to run, on average over the last quarter of an hour: ours among them. */
  readonly loadAverage?: number
  readonly command: string
}

export type ChaosRecord = Circumstances & Campaign & { readonly kind: 'chaos'; readonly lost: 0; readonly doubled: 0 }

export function circumstances(command: string): Circumstances {
  const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: import.meta.dirname })
    .toString()
    .trim()
  const gibibytes = Math.round(totalmem() / 2 ** 30)
  const machine = `${cpus().length} cores, ${gibibytes} GiB, ${type()} ${process.arch}`
  return {
    date: new Date().toISOString().slice(0, 10),
    commit,
    machine,
    node: process.version,
    loadAverage: Math.round(loadavg()[2]!),
    command,
  }
}

/** A campaign that found something lost or doubled does not come to be recorded: it throws. */
export function recordOf(campaign: Campaign, command: string): ChaosRecord {
  return { kind: 'chaos', ...circumstances(command), lost: 0, doubled: 0, ...campaign }
}

export function describeCampaign(campaign: Campaign): string {
  const { injected, compared } = campaign
  const total = Object.values(injected).reduce((sum, count) => sum + count, 0)
  const points = Object.values(campaign.crashPoints)
  const times = (sorted: readonly number[]): string =>
    `p50 ${percentile(sorted, 0.5)} ms, p95 ${percentile(sorted, 0.95)} ms, max ${sorted.at(-1)} ms`
  return [
    `${total} faults in ${campaign.seconds.toFixed(0)} s: ` +
      Object.entries(injected)
        .map(([kind, count]) => `${count} ${kind}`)
        .join(', '),
    `${points.filter((count) => count > 0).length} of ${points.length} crash points; meanwhile ${JSON.stringify(campaign.done)}; ended by ${JSON.stringify(campaign.faults)}`,
    `${compared.comparisons} comparisons of ${compared.records} records, ${compared.values} values, ` +
      `${compared.deadLetters} dead letters, ${compared.late} late events: lost 0, doubled 0`,
    `first answer ${times(campaign.firstAnswerMs)}; caught up ${times(campaign.caughtUpMs)}; drained ${times(campaign.drainMs)}`,
    ...campaign.skipped.map((text) => `skipped ${text}`),
  ].join('\n')
}
