import { channelsOf } from './paged/channels.ts'
import { pageCacheBytes } from './paged/page-cache.ts'
import { referencePartialBytesMax } from './paged/record-codec.ts'
import { standardPaging, type ViewProgram } from './program.ts'

/** What the state of a key may take, without the texts in its columns. */
export type StateBounds = {
  /** Heap of a key whose events are in rows. */
  readonly rowsBytes: number
  /** Heap of a key whose events are in pages, however many: its head. Larger once in some hundred thousand keys. */
  readonly headBytes: number
  /** Heap for pages, of all such keys of a view together, besides those that changed since the last checkpoint. */
  readonly pagesBytes: number
  /** In the store, per raw event. */
  readonly eventDiskBytes: number
}

/** Levels of spans that more than 10^9 events have. */
const levels = 4
/** Lengths are geometric: a sum of several is hardly ever four times its mean. */
const tail = 4

export function stateBounds(program: ViewProgram): StateBounds {
  const { columns, keepsTies } = program
  const { rowsMax, pageBits, nodeBits } = program.paging ?? standardPaging
  const width = 1 + (keepsTies ? 1 : 0) + columns.length
  const partials = channelsOf(program).list.map(({ aggregation: { name }, input }) => {
    const isText = input !== null && columns[input]!.kind === 'string'
    // Decoded, a set or a list takes about eight times its bytes.
    return isText || name === 'distinctCount' || name === 'lastK' ? 9 * referencePartialBytesMax : 150
  })
  const reference = 300 + partials.reduce((sum, bytes) => sum + bytes, 0)
  const inline = 2 * 2 ** pageBits * 8 * (width + 1)
  const references = 2 * levels * 2 ** nodeBits * reference
  // A tag and eight bytes for a value, nine for a tie, seven for a time; references come once in a page.
  const eventBytes = 7 + (keepsTies ? 9 : 0) + 9 * columns.length
  return {
    rowsBytes: 64 + 2 * rowsMax * 8 * width,
    headBytes: tail * (inline + references),
    pagesBytes: pageCacheBytes,
    eventDiskBytes: eventBytes + Math.ceil((80 + partials.length * referencePartialBytesMax) / 2 ** pageBits),
  }
}
