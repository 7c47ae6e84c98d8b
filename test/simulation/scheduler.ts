import process from 'node:process'
import type { Random } from './random.ts'

/**
 * One process of the simulated machine. Once it is dead nothing that it still has under way goes on, and no promise
 * of it ever settles.
 */
export type Actor = { readonly name: string; dead: boolean }

/** What an actor waits for: a call of a port. */
type Parked = {
  readonly actor: Actor
  readonly label: string
  /** Virtual milliseconds; infinite for a call that never comes back. */
  readonly notBefore: number
  readonly go: () => void
  /** What of it may still happen when the actor dies first. */
  readonly abandon: () => void
}

export type StepOptions = {
  /** Virtual milliseconds that the call takes at least. */
  readonly delayMs?: number
  /** Called instead when the actor dies first: what the machine may have done of it by then. */
  readonly abandon?: () => void
}

/**
 * Decides who goes on. Every call of a port is parked here; the seeded generator picks one, the call takes effect,
 * and all promises that follow from it have their turn before the next pick. Time is virtual: it moves when nobody
 * can go on. One seed and one program give one sequence of picks, of which `hash` is the fingerprint.
 */
export class Scheduler {
  readonly #random: Random
  readonly #parked: Parked[] = []
  readonly #trace: ((line: string) => void) | null
  /** Two halves of 32 bits, by FNV-1a with different offsets. */
  #hash = [0x811c_9dc5, 0x1234_5678] as [number, number]
  #nowMs = 0
  steps = 0
  /** The call that was picked last. */
  lastLabel = ''

  readonly #stepMs: number

  /** @param stepMs virtual time that every call takes at least: timers then fire while others are busy. */
  constructor(random: Random, stepMs: number, trace: ((line: string) => void) | null) {
    this.#random = random
    this.#stepMs = stepMs
    this.#trace = trace
  }

  /** Virtual milliseconds since the start. Never goes back. */
  get nowMs(): number {
    return this.#nowMs
  }

  get hash(): string {
    return this.#hash.map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  get traces(): boolean {
    return this.#trace !== null
  }

  /** Parks a call: `run` is its effect, at the moment when it is picked, and its answer. */
  step<T>(at: { readonly actor: Actor; readonly label: string }, run: () => T, options: StepOptions = {}): Promise<T> {
    const { actor, label } = at
    if (actor.dead) return new Promise(() => {})
    return new Promise((resolve, reject) => {
      const go = (): void => {
        try {
          resolve(run())
        } catch (error) {
          reject(error)
        }
      }
      const notBefore = this.#nowMs + (options.delayMs ?? 0)
      this.#parked.push({ actor, label, notBefore, go, abandon: options.abandon ?? nothing })
    })
  }

  /** Resolves at a time, or one pick after `signal` aborts. */
  sleep(actor: Actor, ms: number, signal?: AbortSignal): Promise<void> {
    if (actor.dead) return new Promise(() => {})
    if (signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const parked: Parked = { actor, label: 'timer', notBefore: this.#nowMs + ms, go: done, abandon: nothing }
      const onAbort = (): void => {
        if (!this.#remove(parked) || actor.dead) return
        this.#parked.push({ ...parked, notBefore: this.#nowMs })
      }
      function done(): void {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#parked.push(parked)
    })
  }

  /**
   * Lets one parked call go on, after moving time when there is none that may. False when all of them wait for ever.
   */
  pick(): boolean {
    let eligible = this.#countEligible()
    if (eligible === 0) {
      const next = this.#parked.reduce((earliest, { notBefore }) => Math.min(earliest, notBefore), Infinity)
      if (next === Infinity) return false
      this.#nowMs = next
      eligible = this.#countEligible()
    }
    let skip = this.#random.below(eligible)
    const index = this.#parked.findIndex(({ notBefore }) => notBefore <= this.#nowMs && skip-- === 0)
    const chosen = this.#parked[index]!
    this.#parked.splice(index, 1)
    this.steps += 1
    this.#nowMs += this.#stepMs
    this.lastLabel = chosen.label
    this.note(chosen.actor.name, chosen.label)
    chosen.go()
    drainMicrotasks()
    return true
  }

  /** Whether anything may go on without time moving. */
  get idle(): boolean {
    return this.#countEligible() === 0
  }

  /** Moves time by hand. */
  advance(ms: number): void {
    this.#nowMs += ms
  }

  /** Puts something into the trace, and its hash. */
  note(who: string, what: string): void {
    this.#mix(who)
    this.#mix(what)
    this.#trace?.(`${String(this.steps).padStart(5)} ${this.#nowMs.toFixed(0).padStart(6)} ms  ${who}  ${what}`)
  }

  /** The actor is gone. Of what it had under way, `abandon` decides what still happens; in an order of chance. */
  kill(actor: Actor): void {
    actor.dead = true
    const own = this.#parked.filter((parked) => parked.actor === actor)
    const others = this.#parked.filter((parked) => parked.actor !== actor)
    this.#parked.length = 0
    this.#parked.push(...others)
    while (own.length > 0) own.splice(this.#random.below(own.length), 1)[0]!.abandon()
  }

  #countEligible(): number {
    let count = 0
    for (const { notBefore } of this.#parked) if (notBefore <= this.#nowMs) count += 1
    return count
  }

  #remove(parked: Parked): boolean {
    const index = this.#parked.indexOf(parked)
    if (index < 0) return false
    this.#parked.splice(index, 1)
    return true
  }

  #mix(text: string): void {
    let [low, high] = this.#hash
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      low = Math.imul(low ^ code, 0x0100_0193)
      high = Math.imul(high ^ code, 0x0100_01b3) ^ (low >>> 13)
    }
    this.#hash = [Math.imul(low ^ (this.#nowMs | 0), 0x0100_0193), Math.imul(high ^ this.steps, 0x0100_01b3)]
  }
}

const nothing = (): void => {}

/**
 * Runs every promise reaction that waits, and those that follow from them, before it returns: what Node itself does
 * between two callbacks. Effective only in a callback of the event loop that is no promise reaction itself
 * (`inMacrotask`), and ten times as quick as a turn of the event loop.
 */
const tick = (process as unknown as { readonly _tickCallback: () => void })._tickCallback

export function drainMicrotasks(): void {
  tick.call(process)
}

let unhandled: { readonly reason: unknown } | null = null

/** A promise that was rejected and that nobody looks after: null while there is none. Asking forgets it. */
export function takeUnhandledRejection(): { readonly reason: unknown } | null {
  const taken = unhandled
  unhandled = null
  return taken
}

/** From now on such rejections are kept for `takeUnhandledRejection`, and do not end the process. */
export function keepUnhandledRejections(): void {
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (reason) => {
    unhandled ??= { reason }
  })
}

/** Runs synchronous work where `drainMicrotasks` takes effect. */
export function inMacrotask<T>(work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(work())
      } catch (error) {
        reject(error)
      }
    })
  })
}
