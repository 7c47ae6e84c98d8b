/** One request's share of a long input: whole lines, and how many of them hold an event. */
export type Portion = { readonly content: Uint8Array<ArrayBuffer>; readonly lines: number }

/** Well below what a server takes at once: 10,000 events, 8 MiB. A single line may be longer. */
const linesMax = 5_000
const bytesMax = 4 * 1024 * 1024

/** Cuts lines into portions that a server takes in one request each. No input is one empty portion. */
export function* portions(input: Uint8Array<ArrayBuffer>): Generator<Portion> {
  let start = 0
  let lines = 0
  let lineStart = 0
  while (lineStart < input.length) {
    const newline = input.indexOf(0x0a, lineStart)
    const lineEnd = newline < 0 ? input.length : newline + 1
    if (lines === linesMax || (lines > 0 && lineEnd - start > bytesMax)) {
      yield { content: input.subarray(start, lineStart), lines }
      start = lineStart
      lines = 0
    }
    if (!isBlank(input, lineStart, lineEnd)) lines += 1
    lineStart = lineEnd
  }
  if (lines > 0 || start === 0) yield { content: input.subarray(start), lines }
}

/** Only the white space of JSON: what a server skips as well. */
function isBlank(input: Uint8Array, from: number, to: number): boolean {
  for (let index = from; index < to; index++) {
    const byte = input[index]
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false
  }
  return true
}
