import { instantMsEnd } from '../instant.ts'
import { minus, point } from './json-code.ts'

/**
 * An instant in the forms that programs write, `2026-11-21T17:58:38.123Z` or with `+01:00`, from its first digit to
 * behind its last sign; its milliseconds into `parts[0]`. -1 for every other form, and for what is no instant.
 */
export function scanInstant(bytes: Uint8Array, at: number, parts: Float64Array): number {
  const year = two(bytes, at) * 100 + two(bytes, at + 2)
  const month = two(bytes, at + 5)
  const day = two(bytes, at + 8)
  const hour = two(bytes, at + 11)
  const minute = two(bytes, at + 14)
  const second = two(bytes, at + 17)
  const between = bytes[at + 10]!
  const separated =
    bytes[at + 4] === minus &&
    bytes[at + 7] === minus &&
    (between === 0x54 || between === 0x74 || between === 0x20) &&
    bytes[at + 13] === colon &&
    bytes[at + 16] === colon
  // Two signs that are no digits make a number far below zero, in the year as well.
  const timely = hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59
  if (!separated || !timely || year < 1970 || year > 2100) return -1
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysIn(month, year))) return -1
  let p = at + 19
  let fractionMs = 0
  if (bytes[p] === point) {
    let weight = 100
    let digit = 0
    for (p += 1; (digit = bytes[p]! ^ 0x30) < 10; p++) {
      fractionMs += digit * weight
      weight = weight === 100 ? 10 : weight === 10 ? 1 : 0
    }
    const count = p - at - 20
    if (count === 0 || count > 9) return -1
  }
  let zoneMinutes = 0
  const zone = bytes[p]!
  if (zone === 0x5a || zone === 0x7a) p += 1
  else if (zone === 0x2b || zone === minus) {
    const zoneHour = two(bytes, p + 1)
    const zoneMinute = two(bytes, p + 4)
    if (bytes[p + 3] !== colon || zoneHour < 0 || zoneHour > 23 || zoneMinute < 0 || zoneMinute > 59) return -1
    zoneMinutes = (zone === minus ? -1 : 1) * (zoneHour * 60 + zoneMinute)
    p += 6
  } else return -1
  const minutes = hour * 60 + minute - zoneMinutes
  const ms = daysBefore(year, month, day) * 86_400_000 + minutes * 60_000 + second * 1_000 + fractionMs
  if (ms < 0 || ms >= instantMsEnd) return -1
  parts[0] = ms
  return p
}

const colon = 0x3a

/** Two digits as a number; below zero when one of them is none. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! ^ 0x30
  const ones = bytes[at + 1]! ^ 0x30
  return tens < 10 && ones < 10 ? tens * 10 + ones : -100_000
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

function daysIn(month: number, year: number): number {
  return month === 2 ? (isLeap(year) ? 29 : 28) : daysOfMonth[month]!
}

const daysOfMonth = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const daysBeforeMonth = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]

/** Days since the first of 1970, for years from there to 2100. */
function daysBefore(year: number, month: number, day: number): number {
  // 1972 was the first leap year since, and none is left out before 2100, which is not one.
  const leapDays = ((year - 1969) >> 2) + (month > 2 && isLeap(year) ? 1 : 0)
  return (year - 1970) * 365 + leapDays + daysBeforeMonth[month]! + day - 1
}
