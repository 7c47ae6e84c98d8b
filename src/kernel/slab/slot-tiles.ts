import type { EventColumns, KernelEvent } from '../event-columns.ts'
import type { ViewProgram } from '../program.ts'
import { Tiles } from '../tiles.ts'

/** Events with `ts < floor`, of pages in order. */
type Before = { readonly floor: number; readonly pages: Iterable<EventColumns> }

/** The tiles of the keys of a slab, by slot. Does nothing where the program has no tiling. */
export class SlotTiles {
  readonly #program: ViewProgram
  /** None before a first event fell below the floor. */
  readonly #tiles: (Tiles | undefined)[] = []

  constructor(program: ViewProgram) {
    this.#program = program
  }

  of(slot: number): Tiles | undefined {
    return this.#tiles[slot]
  }

  /** Takes an event that is not raw any more. `newest`: time of the key's newest event. */
  add(slot: number, event: KernelEvent, newest: number): void {
    this.#made(slot)?.add(event, this.#readableFrom(newest))
  }

  addBefore(slot: number, { floor, pages }: Before, newest: number): void {
    this.#made(slot)?.addBefore(floor, pages, this.#readableFrom(newest))
  }

  settle(slot: number, newest: number): void {
    this.#tiles[slot]?.settle(this.#readableFrom(newest))
  }

  restore(slot: number, tiles: Tiles): void {
    this.#tiles[slot] = tiles
  }

  drop(slot: number): void {
    if (this.#tiles[slot] !== undefined) this.#tiles[slot] = undefined
  }

  #made(slot: number): Tiles | undefined {
    const { tiling } = this.#program
    return tiling === undefined ? undefined : (this.#tiles[slot] ??= new Tiles(tiling))
  }

  #readableFrom(newest: number): number {
    return newest + 1 - this.#program.horizonMs
  }
}
