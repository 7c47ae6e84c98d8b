import { MillraceError } from './faults.ts'

/** A length of time: `'250ms'`, `'90s'`, `'10m'`, `'6h'`, `'30d'`. A day is 24 hours. */
export type Duration = `${number}${DurationUnit}`

type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd'

const unitMs: Readonly<Record<DurationUnit, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** The longest duration: 100 years, so that an instant minus a window always stays a safe integer. */
export const durationMsMax = 36_525 * unitMs.d

/** Milliseconds of a duration, or null when the text is none: not a whole number of a unit, negative, too long. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,15})(ms|s|m|h|d)$/.exec(text)
  if (match === null) return null
  const ms = Number(match[1]) * unitMs[match[2] as DurationUnit]
  return ms <= durationMsMax ? ms : null
}

/** Milliseconds of a duration. Throws `DURATION_MALFORMED`. */
export function durationMs(text: Duration): number {
  const ms = parseDuration(text)
  if (ms === null) throw new MillraceError('DURATION_MALFORMED', { text })
  return ms
}

/** The shortest exact text: 86400000 → `1d`, 90000 → `90s`. */
export function formatDuration(ms: number): Duration {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms >= unitMs[unit] && ms % unitMs[unit] === 0) return `${ms / unitMs[unit]}${unit}`
  }
  return `${ms}ms`
}
