import { formatDuration } from '../base/duration.ts'
import { MillraceError } from '../base/faults.ts'
import type { Stream } from '../definition/stream.ts'
import { windowReach } from '../kernel/window.ts'
import { checkDuration } from './check-names.ts'
import type { FaultList } from './faults.ts'
import type { Plan, RetentionPlan, StreamPlan, ViewPlan } from './plan.ts'

/** Reads what a stream declares of its retention; null: its records are kept for ever, or there are faults. */
export function compileRetention({ name, retention }: Stream, faults: FaultList): RetentionPlan | null {
  if (retention === undefined) return null
  const declared = typeof retention === 'object' && retention !== null
  const path = declared ? `${name}.retention.keep` : `${name}.retention`
  const keep = declared ? retention.keep : retention
  const rebuild = declared ? retention.rebuild : 'exact'
  const before = faults.list.length
  if (rebuild !== 'exact' && rebuild !== 'warming') {
    faults.add(`${name}.retention.rebuild`, `${JSON.stringify(rebuild)} is no rule`, '"warming"')
  }
  const keepMs = checkDuration(path, keep, faults)
  return faults.list.length > before ? null : { keepMs, rebuild }
}

type Kept = Pick<StreamPlan, 'rules' | 'retention'>
type KeptView = Pick<ViewPlan, 'name' | 'program' | 'features'>

/** Why so long a retention is not enough for a stream's views: what came, and what is allowed. */
export type RetentionFault = { readonly fault: string; readonly hint: string }

/**
 * What is wrong with keeping the records of a stream for `keepMs`. A state that is rebuilt from the log needs, besides
 * the longest window and the horizon, the lateness (before the first record that is left, nothing says what was late),
 * and `future`: an event may be that much older than its record than its time says.
 */
export function retentionFaults(keepMs: number, stream: Kept, views: readonly KeptView[]): RetentionFault[] {
  const { latenessMs, futureMs } = stream.rules
  const faults: RetentionFault[] = []
  const longest = views.toSorted((a, b) => reachOf(b) - reachOf(a))[0]
  if (longest !== undefined) {
    const { windows, horizonMs } = longest.program
    const spanMs = Math.max(0, ...windows.map(windowReach))
    const neededMs = spanMs + horizonMs + latenessMs + futureMs
    if (keepMs < neededMs) {
      const sum = `${formatDuration(spanMs)} of windows + ${formatDuration(horizonMs)} horizon + ${formatDuration(latenessMs)} lateness + ${formatDuration(futureMs)} future`
      faults.push({
        fault: `records are kept for ${formatDuration(keepMs)}, and view "${longest.name}" needs ${formatDuration(neededMs)}: ${sum}`,
        hint: `keep them for at least ${formatDuration(neededMs)}, or shorten the windows`,
      })
    }
  }
  if (stream.retention?.rebuild === 'warming') return faults
  for (const view of views) {
    const lifetime = view.features.find(({ aggregates }) => aggregates.some((slot) => isLifetime(view, slot)))
    if (lifetime === undefined) continue
    faults.push({
      fault: `records are kept for ${formatDuration(keepMs)}, and feature "${lifetime.name}" of view "${view.name}" covers a lifetime: a state that is rebuilt would lack its beginning`,
      hint: `keep them for ever, or accept it: retention: { keep: '${formatDuration(keepMs)}', rebuild: 'warming' }`,
    })
  }
  return faults
}

/** One topic has one retention: that of the streams which declare one; the others have to live with it. */
export function checkRetentions(streams: readonly RetainedStream[], faults: FaultList): void {
  for (const { name, topic, plan, views } of streams) {
    const own = plan.retention?.keepMs ?? null
    const others = streams.filter((one) => one.topic === topic && one.name !== name)
    const other = others.find((one) => one.plan.retention !== null)
    const keepMs = own ?? other?.plan.retention?.keepMs ?? null
    if (keepMs === null) continue
    const path = `${name}.retention`
    if (other !== undefined && other.plan.retention!.keepMs !== keepMs) {
      const fault = `topic "${topic}" is kept for ${formatDuration(keepMs)}, and by stream "${other.name}" for ${formatDuration(other.plan.retention!.keepMs)}`
      faults.add(path, fault, 'one topic has one retention')
    }
    for (const { fault, hint } of retentionFaults(keepMs, plan, views)) faults.add(path, fault, hint)
  }
}

export type RetainedStream = {
  readonly name: string
  readonly topic: string
  readonly plan: Kept
  readonly views: readonly KeptView[]
}

/**
 * Holds the topics that are there against what a plan declares of them and needs. Throws `LOG_RETENTION_MISMATCH` and
 * `RETENTION_SHORT`.
 */
export function checkTopicRetentions(
  { streams }: Plan,
  topics: readonly { readonly topic: string; readonly retentionMs: number | null }[],
): void {
  const keptFor = new Map(topics.map(({ topic, retentionMs }) => [topic, retentionMs]))
  for (const stream of streams) {
    const { name, topic, retention, history, views } = stream
    const found = keptFor.get(topic)
    if (found !== undefined && retention !== null && found !== retention.keepMs) {
      const existing = found === null ? 'ever' : formatDuration(found)
      throw new MillraceError('LOG_RETENTION_MISMATCH', { topic, existing, asked: formatDuration(retention.keepMs) })
    }
    const list = found === undefined || found === null ? [] : retentionFaults(found, stream, views)
    if (list.length > 0) throw shortRetention(topic, name, list)
    const kept = history === null ? null : (keptFor.get(history.topic) ?? null)
    if (kept === null) continue
    const fault = `records are kept for ${formatDuration(kept)}, and a history is imported once`
    throw shortRetention(history!.topic, name, [{ fault, hint: 'keep them for ever' }])
  }
}

function shortRetention(topic: string, stream: string, faults: readonly RetentionFault[]): MillraceError {
  const list = faults.map(({ fault, hint }) => `  ${fault} (${hint})`).join('\n')
  return new MillraceError('RETENTION_SHORT', { topic, stream, list })
}

function reachOf({ program }: KeptView): number {
  return Math.max(0, ...program.windows.map(windowReach)) + program.horizonMs
}

function isLifetime({ program }: KeptView, slot: number): boolean {
  return program.windows[program.aggregates[slot]!.window]!.lengthMs === null
}
