import { assert } from '../base/assert.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const quarterMs = 15 * 60_000

/** Local milliseconds since 1970 of an instant, in a named zone. */
export type LocalTime = (ts: number) => number

export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false // The only way to ask: an unknown zone throws.
  }
}

/**
 * Nearly all offsets change at whole quarters of an hour, so one look-up serves a quarter. The few quarters inside
 * which one changes (St. John's went by 00:01 local time until 2011) are looked up each time. The cache is bounded: it
 * holds about 14 months of quarters, then starts afresh.
 */
export function makeLocalTime(zone: string): LocalTime {
  if (zone === 'UTC') return (ts) => ts
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset', year: 'numeric' })
  const offsets = new Map<number, number | null>()
  return (ts) => {
    const quarter = Math.floor(ts / quarterMs)
    let offsetMs = offsets.get(quarter)
    if (offsetMs === undefined) {
      if (offsets.size >= 40_000) offsets.clear()
      offsetMs = quarterOffsetMs(format, quarter * quarterMs)
      offsets.set(quarter, offsetMs)
    }
    return ts + (offsetMs ?? zoneOffsetMs(format, ts))
  }
}

/** Null when the offset changes inside the quarter that starts at `ts`. */
function quarterOffsetMs(format: Intl.DateTimeFormat, ts: number): number | null {
  const offsetMs = zoneOffsetMs(format, ts)
  return zoneOffsetMs(format, ts + quarterMs - 1) === offsetMs ? offsetMs : null
}

function zoneOffsetMs(format: Intl.DateTimeFormat, ts: number): number {
  const name = format.formatToParts(ts).find((part) => part.type === 'timeZoneName')?.value ?? ''
  const match = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(name)
  assert(match !== null, `a zone offset such as GMT+02:00, not "${name}"`)
  const seconds = (Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0)) * 60 + Number(match[4] ?? 0)
  return (match[1] === '-' ? -1 : 1) * seconds * 1_000
}

/** West of Greenwich, the first hours of 1970 lie before the local one: the remainder of a negative number is. */
export function hourOf(localMs: number): number {
  return ((Math.floor(localMs / hourMs) % 24) + 24) % 24
}

/** Monday is 1, Sunday 7; 1 January 1970 was a Thursday. */
export function dayOfWeekOf(localMs: number): number {
  return ((((Math.floor(localMs / dayMs) + 3) % 7) + 7) % 7) + 1
}
