import type { Clock } from '../base/clock.ts'
import { reach } from '../base/crash-points.ts'

/** A source partition, and where it stands. */
export type Standing = { readonly topic: string; readonly partition: number; readonly next: number }

/** Source partition, as `placeOf` names it → how far it may be taken. */
export type Limits = ReadonlyMap<string, number>

export function placeOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`
}

/** Holds the readers of source partitions at a common prefix. */
export class Gate {
  #limits: Limits | null = null
  #released = Promise.withResolvers<void>()

  /** How far a reader may go now. */
  limit(reader: Standing): number {
    return this.#limits?.get(placeOf(reader)) ?? Number.POSITIVE_INFINITY
  }

  /** For a reader at its limit: resolves when it may look again. */
  async wait(): Promise<void> {
    await this.#released.promise
  }

  /**
   * Lets every reader run up to its limit and no further, and calls `work` when all are there; nobody moves until it
   * is done. `check` is called while waiting, and throws when the wait is in vain.
   */
  async hold<T>(
    limits: Limits,
    readers: () => readonly Standing[],
    { clock, check, work }: { clock: Clock; check: () => void; work: () => T | Promise<T> },
  ): Promise<T> {
    this.#limits = limits
    try {
      while (!readers().every((reader) => isThere(reader, limits))) {
        check()
        await clock.sleep(1)
      }
      check()
      reach('engine.gate.held')
      const done = await work()
      reach('engine.gate.done')
      return done
    } finally {
      this.open()
    }
  }

  /** Lets everybody go on. */
  open(): void {
    this.#limits = null
    this.#released.resolve()
    this.#released = Promise.withResolvers()
  }
}

function isThere(reader: Standing, limits: Limits): boolean {
  return reader.next === (limits.get(placeOf(reader)) ?? reader.next)
}

/** The furthest that any reader has got, per source partition. */
export function furthest(readers: readonly Standing[]): Limits {
  const limits = new Map<string, number>()
  for (const reader of readers) {
    const place = placeOf(reader)
    limits.set(place, Math.max(reader.next, limits.get(place) ?? 0))
  }
  return limits
}

/** Topic → next offset per partition. */
export function prefixesOf(readers: readonly Standing[]): Record<string, number[]> {
  const prefixes: Record<string, number[]> = {}
  for (const { topic, partition, next } of readers) (prefixes[topic] ??= [])[partition] = next
  return prefixes
}
