import { formatDuration } from '../base/duration.ts'
import type { Stream } from '../definition/stream.ts'
import { checkDuration } from './check-names.ts'
import type { FaultList } from './faults.ts'
import type { RetentionPlan, StreamPlan, ViewPlan } from './plan.ts'

/** Reads what a stream declares of its retention; null: its records are kept for ever. */
export function compileRetention({ name, retention }: Stream, faults: FaultList): RetentionPlan | null {
  if (retention === undefined) return null
  const declared = typeof retention === 'object' && retention !== null
  const path = declared ? `${name}.retention.keep` : `${name}.retention`
  const keep = declared ? retention.keep : retention
  const rebuild = declared ? retention.rebuild : 'exact'
  if (rebuild !== 'exact' && rebuild !== 'warming') {
    faults.add(`${name}.retention.rebuild`, `${JSON.stringify(rebuild)} is no rule`, '"warming"')
  }
  return { keepMs: checkDuration(path, keep, faults), rebuild }
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
    const { spanMs, horizonMs } = longest.program
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

function reachOf({ program }: KeptView): number {
  return program.spanMs + program.horizonMs
}

function isLifetime({ program }: KeptView, slot: number): boolean {
  return program.windows[program.aggregates[slot]!.window]!.lengthMs === null
}
