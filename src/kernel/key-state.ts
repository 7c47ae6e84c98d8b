import { assert } from '../base/assert.ts'
import { type KernelEvent, lowerBound } from './event-columns.ts'
import type { ViewProgram } from './program.ts'
import { type PagesOf, Slab } from './slab/slab.ts'

/**
 * The state of one key of a view: a slot of a slab, alone in it or among others. It must not be used any more once
 * whoever keeps the slab forgot the key or let it go, which is checked.
 */
export class KeyState {
  readonly #slab: Slab
  readonly #slot: number
  readonly #generation: number

  constructor(slab: Slab, slot: number) {
    this.#slab = slab
    this.#slot = slot
    this.#generation = slab.generation(slot)
  }

  get slab(): Slab {
    return this.#slab
  }

  get slot(): number {
    assert(this.#slab.generation(this.#slot) === this.#generation, 'the state of a key that was let go')
    return this.#slot
  }

  /** Time of the newest event; -1 before the first. */
  get newest(): number {
    return this.#slab.newest(this.slot)
  }

  /** How many events were applied, ever. */
  get applied(): number {
    return this.#slab.applied(this.slot)
  }

  /** Time of the newest event that is not raw any more; -1 without one. */
  get baseNewest(): number {
    return this.#slab.baseNewest(this.slot)
  }

  /** How many events are kept raw. */
  get count(): number {
    return this.#slab.paged(this.slot)?.count ?? this.#slab.count(this.slot)
  }
}

const noKey = new Uint8Array(0)

/** A state by itself. */
export function makeKeyState(program: ViewProgram, pagesOf?: PagesOf): KeyState {
  const slab = new Slab(program, pagesOf)
  return new KeyState(slab, slab.allocate(noKey))
}

/** First instant that can be read exactly: one horizon before just after the newest event. */
export function readableFrom(program: ViewProgram, { newest }: { readonly newest: number }): number {
  return newest + 1 - program.horizonMs
}

/** Adds one accepted event. The caller guarantees that it was not added before. */
export function applyEvent(program: ViewProgram, { slab, slot }: KeyState, event: KernelEvent): void {
  assert(slab.program === program, 'a state is of one program')
  slab.stage(event)
  slab.apply(slot)
}

/** Times of the raw events at or after an instant, in order. The state must not change meanwhile. */
export function* timesFrom({ slab, slot }: KeyState, instant: number): Generator<number, void, undefined> {
  const paged = slab.paged(slot)
  if (paged !== undefined) {
    for (const { ts } of paged.pages(instant)) {
      for (let index = lowerBound(ts, instant); index < ts.length; index++) yield ts[index]!
    }
    return
  }
  const rows = slab.rows(slot)
  const at = slab.rowsAt(slot)
  const count = slab.count(slot)
  for (let index = slab.lowerBound(slot, instant); index < count; index++) yield rows[at + index * slab.layout.width]!
}

/** How many events lie before an instant that can be read. */
export function countBefore({ slab, slot }: KeyState, t: number): number {
  const paged = slab.paged(slot)
  const from = paged === undefined ? slab.count(slot) - slab.lowerBound(slot, t) : paged.count - paged.countBefore(t)
  return slab.applied(slot) - from
}

/** Time of the newest event before `t`; -1 when there is none. */
export function newestBefore({ slab, slot }: KeyState, t: number): number {
  const paged = slab.paged(slot)
  if (paged !== undefined) return Math.max(paged.newestBefore(t), slab.baseNewest(slot))
  const index = slab.lowerBound(slot, t)
  // Before the events settle, one that came late lies in the base and may be newer than the oldest raw ones.
  const newest = index > 0 ? slab.rows(slot)[slab.rowsAt(slot) + (index - 1) * slab.layout.width]! : -1
  return Math.max(newest, slab.baseNewest(slot))
}
