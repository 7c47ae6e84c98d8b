import type { TimestampUnit } from './field.ts'

/** Event time lies in [1970, 2100). */
export const instantMsEnd = Date.UTC(2100, 0, 1)

const iso = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:[Zz]|([+-])(\d\d):?(\d\d))$/

/**
 * Epoch milliseconds of RFC 3339 text or of a number in `unit`, floored; null outside [1970, 2100) and for anything
 * that is no instant: a date without a zone, 24:00, a leap second, 30 February.
 */
export function parseInstant(value: string | number, unit: TimestampUnit): number | null {
  const ms = typeof value === 'number' ? fromNumber(value, unit) : fromText(value)
  return ms !== null && ms >= 0 && ms < instantMsEnd ? ms + 0 : null
}

function fromNumber(value: number, unit: TimestampUnit): number | null {
  // Before 1970 even where rounding to microseconds would make it -0.
  if (!Number.isFinite(value) || value < 0) return null
  switch (unit) {
    case 'ms':
      return Math.floor(value)
    case 'us':
      return Math.floor(value / 1_000)
    case 's':
      // Through whole microseconds: 1.001 s times 1000 is 1000.9999… and must not be floored to 1000.
      return Math.floor(Math.round(value * 1e6) / 1_000)
  }
}

function fromText(text: string): number | null {
  const match = iso.exec(text)
  if (match === null) return null
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const zoneHour = Number(match[9] ?? 0)
  const zoneMinute = Number(match[10] ?? 0)
  if (hour > 23 || minute > 59 || second > 59 || zoneHour > 23 || zoneMinute > 59) return null
  const midnight = Date.UTC(year, month - 1, day)
  const date = new Date(midnight)
  // The year as well: Date.UTC takes 0 to 99 for 1900 to 1999.
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  const fractionMs = Math.floor(Number((match[7] ?? '').padEnd(3, '0').slice(0, 3)))
  const zoneMs = (match[8] === '-' ? -1 : 1) * (zoneHour * 60 + zoneMinute) * 60_000
  return midnight + ((hour * 60 + minute) * 60 + second) * 1_000 + fractionMs - zoneMs
}

/** `2018-04-01T00:00:31.000Z` */
export function formatInstant(ms: number): string {
  const day = Math.floor(ms / dayMs)
  if (day !== lastDay) {
    // Of what is no instant this throws. Before the time of day stand 13 characters less.
    lastDayText = new Date(ms).toISOString().slice(0, -13)
    lastDay = day
  }
  const time = Math.floor(ms - day * dayMs)
  const [seconds, millis] = [Math.floor(time / 1_000), time % 1_000]
  const [minutes, second] = [Math.floor(seconds / 60), seconds % 60]
  return `${lastDayText}${padded[Math.floor(minutes / 60)]!}:${padded[minutes % 60]!}:${padded[second]!}.${millis < 100 ? '0' : ''}${padded[millis]!}Z`
}

const dayMs = 86_400_000
const padded = Array.from({ length: 1_000 }, (_, value) => String(value).padStart(2, '0'))
/** What is written together lies on one day, mostly: it is written out once. */
let lastDay = Number.NaN
let lastDayText = ''
