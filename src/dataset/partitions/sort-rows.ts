import type { KeyNumbers } from './key-numbers.ts'

/** Places of rows sorted by (key, time), those of equal time in their own order; rows without a key are left out. */
export type SortedRows = { readonly order: Int32Array; readonly starts: Int32Array }

/**
 * Counting sort by key. It keeps the order that rows have, so rows that are not in order of time within their keys are
 * sorted by time first, digit by digit: linear too, and what comes sorted, as logs mostly do, costs one look.
 */
export function sortRows(keys: KeyNumbers, times: Float64Array): SortedRows {
  const sorted = sortByKey(keys, null)
  return isSortedInKeys(sorted, times) ? sorted : sortByKey(keys, orderByTime(times))
}

function sortByKey({ numbers, count }: KeyNumbers, rows: Int32Array | null): SortedRows {
  const starts = new Int32Array(count + 1)
  for (let row = 0; row < numbers.length; row++) if (numbers[row]! >= 0) starts[numbers[row]! + 1]! += 1
  for (let key = 0; key < count; key++) starts[key + 1]! += starts[key]!
  const next = starts.slice()
  const order = new Int32Array(starts[count]!)
  for (let at = 0; at < numbers.length; at++) {
    const row = rows === null ? at : rows[at]!
    const key = numbers[row]!
    if (key >= 0) order[next[key]!++] = row
  }
  return { order, starts }
}

function isSortedInKeys({ order, starts }: SortedRows, times: Float64Array): boolean {
  for (let key = 0; key + 1 < starts.length; key++) {
    const end = starts[key + 1]!
    for (let at = starts[key]! + 1; at < end; at++) if (times[order[at]!]! < times[order[at - 1]!]!) return false
  }
  return true
}

const digitBits = 11

/** Radix sort over whole milliseconds; stable. */
function orderByTime(times: Float64Array): Int32Array {
  let least = Number.POSITIVE_INFINITY
  let greatest = Number.NEGATIVE_INFINITY
  for (let row = 0; row < times.length; row++) {
    if (times[row]! < least) least = times[row]!
    if (times[row]! > greatest) greatest = times[row]!
  }
  let order = Int32Array.from(times, (_, row) => row)
  let other = new Int32Array(times.length)
  const digits = new Uint16Array(times.length)
  for (let unit = 1; unit <= greatest - least; unit *= 2 ** digitBits) {
    const starts = new Int32Array(2 ** digitBits + 1)
    for (let row = 0; row < times.length; row++) {
      const digit = Math.floor((times[row]! - least) / unit) % 2 ** digitBits
      digits[row] = digit
      starts[digit + 1]! += 1
    }
    for (let digit = 0; digit < 2 ** digitBits; digit++) starts[digit + 1]! += starts[digit]!
    for (let at = 0; at < order.length; at++) {
      const row = order[at]!
      other[starts[digits[row]!]!++] = row
    }
    ;[order, other] = [other, order]
  }
  return order
}

/** Puts runs of one key and time into the order of their ties. */
export function sortTies(
  { order, starts }: SortedRows,
  times: Float64Array,
  compare: (left: number, right: number) => number,
): void {
  for (let key = 0; key + 1 < starts.length; key++) {
    const end = starts[key + 1]!
    for (let from = starts[key]!; from < end; ) {
      let to = from + 1
      while (to < end && times[order[to]!]! === times[order[from]!]!) to += 1
      if (to - from > 1) order.subarray(from, to).sort(compare)
      from = to
    }
  }
}
