import type { Clock } from '../../../base/clock.ts'

/**
 * How long a member may believe that it owns what it was given. The coordinator counts its session timeout from when it
 * receives a request, so whoever counts from before sending it, and a little less, is never the later one.
 */
export class Lease {
  readonly #clock: Clock
  #endsMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get leftMs(): number {
    return this.#endsMs - this.#clock.elapsed()
  }

  /** @param sentMs When the request was sent that was answered, by `clock.elapsed()`. */
  renew(sentMs: number, sessionMs: number): void {
    this.#endsMs = Math.max(this.#endsMs, sentMs + sessionMs * heldShare)
  }

  end(): void {
    this.#endsMs = Number.NEGATIVE_INFINITY
  }
}

/** What is left of the session is for `onRevoked`, and for clocks that do not run alike. */
const heldShare = 0.85
