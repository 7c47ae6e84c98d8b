import type { AggregationSpec, ColumnType } from './aggregation.ts'
import type { ViewProgram } from './program.ts'
import { tileCountMax } from './tiling.ts'

/** Texts count as their place only: their length is the events' own. */
type Bytes = { readonly memory: number; readonly stored: number }

/** What a key takes up at most besides the raw events of span and horizon, however many events it ever had. */
export type TileBounds = {
  readonly hops: readonly { readonly hopMs: number; readonly countMax: number }[]
  /** Of all tiles and lifetime aggregates. */
  readonly memoryBytes: number
  readonly diskBytes: number
}

/** Follows from the program alone. Null: the view has no tiles, and its events are raw as far as windows reach. */
export function tileBounds({ tiling, spanMs, aggregates, windows }: ViewProgram): TileBounds | null {
  if (tiling === undefined) return null
  const hops = tiling.hops.map((hop) => ({ hopMs: hop.hopMs, countMax: tileCountMax(hop, spanMs) }))
  const tiles = tiling.hops.map(({ channels }, index) => {
    const tile = sum([tileHead, ...channels.map(({ spec }) => partialBytes(spec))])
    const { countMax } = hops[index]!
    return { memory: countMax * tile.memory, stored: countMax * tile.stored }
  })
  const lifetimes = aggregates
    .filter(({ window }) => windows[window]!.lengthMs === null)
    .map(({ spec }) => partialBytes(spec))
  const { memory, stored } = sum([keyHead, ...lifetimes, ...tiles])
  return { hops, memoryBytes: memory, diskBytes: stored }
}

// Bounds, not averages: most partial aggregates are smaller. Measured in test/kernel/tile-bounds.test.ts.

/** A number's tag and its eight bytes. */
const cellStored = 9
/** What there is of a key besides events: its head of 64 bytes, its place in the index, the objects of its tiles. */
const keyHead: Bytes = { memory: 1_024, stored: 48 }
/** A tile's number, the array of its partials, and what growing arrays reserve. */
const tileHead: Bytes = { memory: 120, stored: 7 }

function partialBytes(spec: AggregationSpec): Bytes {
  switch (spec.name) {
    case 'count':
      return { memory: 56, stored: 8 }
    case 'sum':
      return sumBytes(spec.input)
    case 'mean':
      return sum([{ memory: 56, stored: 8 }, sumBytes(spec.input)])
    // Σx² of floats is an exact integer of up to 4,200 bits.
    case 'variance':
    case 'stddev':
      return spec.input.kind === 'float' ? { memory: 1_536, stored: 896 } : { memory: 320, stored: 80 }
    case 'lastK':
      return { memory: 96 + spec.k * 192, stored: 3 + spec.k * pickBytes.stored }
    case 'distinctCount':
      // Without a cap it is in no tile and no lifetime.
      return { memory: 256 + (spec.cap ?? 0) * 48, stored: 4 + (spec.cap ?? 0) * cellStored }
    default:
      return pickBytes
  }
}

/** One event's value, and where it stands in the order. */
const pickBytes: Bytes = { memory: 176, stored: 30 }

/** A sum of floats has up to forty parts (`exact/float-sum.ts`), and up to 2,100 bits. */
function sumBytes({ kind }: ColumnType): Bytes {
  return kind === 'float' ? { memory: 448, stored: 288 } : { memory: 112, stored: 32 }
}

function sum(parts: readonly Bytes[]): Bytes {
  return {
    memory: parts.reduce((total, { memory }) => total + memory, 0),
    stored: parts.reduce((total, { stored }) => total + stored, 0),
  }
}
