import type { AggregateProgram, TiledHop, TilePlace, Tiling, ViewProgram, WindowProgram } from './program.ts'
import { windowReach } from './window.ts'

type Parts = { readonly windows: readonly WindowProgram[]; readonly aggregates: readonly AggregateProgram[] }

/**
 * How the events before a view's floor are kept: null where an exact window needs raw events, and where no window is
 * bounded.
 *
 * Why tiles lose nothing. Let `from` be the oldest instant that can be read: one horizon before just after the newest
 * event. It never goes back.
 *
 * 1. *Heads are exact*, so an event has to be raw as long as a head can still pass it: while
 *    `ts >= from - offset`. The floor is therefore `from` less the longest offset, whatever the windows' lengths.
 * 2. An event before the floor is before every head that can be read, of every window: only tails decide about it.
 *    All tails of a hop are multiples of it, so they never cut a tile: an event is inside exactly when its tile begins
 *    at or after the tail.
 * 3. A tile may hold only some of the events of its slice of time, where the others are raw: those are compared with
 *    the same tail one by one, and decided in the same way.
 * 4. A tile that begins before the oldest tail that can be read is never read again, and goes.
 *
 * Both bounds follow from the newest event alone, so which events are in which tiles is a function of the set of
 * events, however they came.
 */
function makeTiling({ windows, aggregates }: Parts): Tiling | null {
  const bounded = windows.filter(({ lengthMs }) => lengthMs !== null)
  if (bounded.length === 0 || bounded.some(({ hopMs }) => hopMs === undefined)) return null
  const hops = [...new Set(bounded.map(({ hopMs }) => hopMs!))].map((hopMs) => {
    const own = bounded.filter((window) => window.hopMs === hopMs)
    const reachMs = Math.max(...own.map(({ lengthMs, offsetMs }) => lengthMs! + offsetMs))
    return { hopMs, reachMs, channels: [] as AggregateProgram[] }
  })
  const places = aggregates.map((aggregate): TilePlace | null => {
    const { lengthMs, hopMs } = windows[aggregate.window]!
    if (lengthMs === null) return null
    const hop = hops.findIndex((one) => one.hopMs === hopMs)
    const { channels } = hops[hop]!
    const channel = channels.findIndex((one) => aggregatesTheSame(one, aggregate))
    return { hop, channel: channel >= 0 ? channel : channels.push(aggregate) - 1 }
  })
  return { hops, places }
}

/** How far before an instant that is read its raw events are needed, and how older ones are kept. */
export function spanOf(parts: Parts): Pick<ViewProgram, 'spanMs' | 'tiling'> {
  const tiling = makeTiling(parts)
  if (tiling === null) return { spanMs: Math.max(0, ...parts.windows.map(windowReach)) }
  return { spanMs: Math.max(...parts.windows.map(({ offsetMs }) => offsetMs)), tiling }
}

/** In whatever windows. Equal aggregations are one object. */
function aggregatesTheSame(one: AggregateProgram, other: AggregateProgram): boolean {
  return (
    one.aggregation === other.aggregation &&
    one.input === other.input &&
    one.filter === other.filter &&
    one.takesNull === other.takesNull
  )
}

/** Number of the first tile of a hop that can still be read: it begins at that multiple of the hop. */
export function firstTile({ hopMs, reachMs }: TiledHop, readableFrom: number): number {
  return Math.floor((readableFrom - reachMs) / hopMs)
}

/** How many tiles of a hop a key has at most, when the longest offset of the view is `offsetMs`. */
export function tileCountMax({ hopMs, reachMs }: TiledHop, offsetMs: number): number {
  return Math.max(1, Math.floor((reachMs - offsetMs - 1) / hopMs) + 2)
}
