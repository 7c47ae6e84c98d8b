import { type ByteReader, type ByteWriter, MalformedBytes } from '../base/bytes.ts'
import { MillraceError } from '../base/faults.ts'
import { eventAt, type EventColumns, type KernelEvent, lowerBound } from './event-columns.ts'
import type { AggregateProgram, TiledHop, Tiling } from './program.ts'
import { firstTile } from './tiling.ts'

/** In ascending order of their numbers; tile `n` of a hop holds events with `n * hop <= ts < (n + 1) * hop`. */
type TilesOfHop = { readonly numbers: number[]; readonly partials: unknown[][] }

const version = 1

/** The events of one key that are not raw any more, by slices of time (`tiling.ts`). */
export class Tiles {
  readonly #tiling: Tiling
  readonly #hops: readonly TilesOfHop[]

  constructor(tiling: Tiling) {
    this.#tiling = tiling
    this.#hops = tiling.hops.map(() => ({ numbers: [], partials: [] }))
  }

  /** How many there are, of all hops. */
  get count(): number {
    return this.#hops.reduce((sum, { numbers }) => sum + numbers.length, 0)
  }

  /** Adds an event before the floor, unless no instant from `readableFrom` on can reach it. */
  add(event: KernelEvent, readableFrom: number): void {
    for (const [index, hop] of this.#tiling.hops.entries()) {
      const number = Math.floor(event.ts / hop.hopMs)
      const first = firstTile(hop, readableFrom)
      if (number < first) continue
      const partials = tileOf(hop, this.#hops[index]!, { number, first })
      for (const [channel, aggregate] of hop.channels.entries()) {
        partials[channel] = addEvent(aggregate, partials[channel], event)
      }
    }
  }

  /** Adds the events before the floor of pages, which are in order. */
  addBefore(floor: number, pages: Iterable<EventColumns>, readableFrom: number): void {
    for (const page of pages) {
      const count = lowerBound(page.ts, floor)
      for (let index = 0; index < count; index++) this.add(eventAt(page, index), readableFrom)
      if (count < page.ts.length) return
    }
  }

  /** Drops what can be read no more. Afterwards equal sets of events are equal tiles. */
  settle(readableFrom: number): void {
    for (const [index, hop] of this.#tiling.hops.entries()) {
      dropBefore(this.#hops[index]!, firstTile(hop, readableFrom))
    }
  }

  /** Adds to an aggregate's partial every tile that begins at or after `start`. */
  addTo(partial: unknown, aggregate: number, start: number): unknown {
    const place = this.#tiling.places[aggregate]!
    if (place === null) return partial
    const { hopMs, channels } = this.#tiling.hops[place.hop]!
    const { numbers, partials } = this.#hops[place.hop]!
    const { aggregation } = channels[place.channel]!
    let sum = partial
    for (let index = lowerBound(numbers, start / hopMs); index < numbers.length; index++) {
      sum = aggregation.merge(sum, partials[index]![place.channel])
    }
    return sum
  }

  /** Canonical, once settled: version u8, then per hop count · number of the first, then deltas · partials by tile. */
  encode(writer: ByteWriter): void {
    writer.u8(version)
    for (const [index, { channels }] of this.#tiling.hops.entries()) {
      const { numbers, partials } = this.#hops[index]!
      writer.varint(numbers.length)
      let before = 0
      for (const number of numbers) {
        writer.varint(number - before)
        before = number
      }
      for (const tile of partials) {
        for (const [channel, { aggregation }] of channels.entries()) aggregation.encode(tile[channel], writer)
      }
    }
  }

  static decode(tiling: Tiling, reader: ByteReader): Tiles {
    const found = reader.u8()
    if (found !== version) {
      throw new MillraceError('STATE_VERSION_UNKNOWN', {
        what: 'the tiles of a key',
        version: found,
        supported: version,
      })
    }
    const tiles = new Tiles(tiling)
    for (const [index, { channels }] of tiling.hops.entries()) {
      const { numbers, partials } = tiles.#hops[index]!
      const count = reader.varint()
      for (let tile = 0; tile < count; tile++) {
        const delta = reader.varint()
        if (tile > 0 && delta === 0) throw new MalformedBytes('a tile is there twice')
        numbers.push((numbers.at(-1) ?? 0) + delta)
      }
      for (let tile = 0; tile < count; tile++)
        partials.push(channels.map(({ aggregation }) => aggregation.decode(reader)))
    }
    return tiles
  }
}

type Wanted = { readonly number: number; readonly first: number }

/** The partial aggregates of a tile, made where there is none. Mostly it is the last. */
function tileOf({ channels }: TiledHop, tiles: TilesOfHop, { number, first }: Wanted): unknown[] {
  const { numbers, partials } = tiles
  const last = numbers.length - 1
  if (numbers[last] === number) return partials[last]!
  const index = lowerBound(numbers, number)
  if (numbers[index] === number) return partials[index]!
  const made = channels.map(({ aggregation }) => aggregation.zero())
  numbers.splice(index, 0, number)
  partials.splice(index, 0, made)
  dropBefore(tiles, first)
  return made
}

function dropBefore({ numbers, partials }: TilesOfHop, first: number): void {
  const count = lowerBound(numbers, first)
  if (count === 0) return
  numbers.splice(0, count)
  partials.splice(0, count)
}

/** Adds one event, if the aggregate's filter and its rule for null let it in. */
function addEvent({ aggregation, input, filter, takesNull }: AggregateProgram, partial: unknown, event: KernelEvent) {
  if (filter !== null && event.values[filter] !== true) return partial
  const value = input === null ? null : event.values[input]!
  return value === null && input !== null && !takesNull ? partial : aggregation.add(partial, value, event)
}
