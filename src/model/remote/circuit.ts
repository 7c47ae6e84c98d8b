import type { Clock } from '../../base/clock.ts'

/**
 * Closed: requests are sent. Open: none is, for a while. Half open: one at a time, and what becomes of it decides.
 */
export type CircuitState = 'closed' | 'open' | 'half open'

/** Leave to send one request. What became of it is noted with it, unless the circuit has changed since. */
export type Leave = { readonly era: number; readonly probe: boolean }

/** Of so many requests that ended last, half may fail. Fewer than `leastNoted` say nothing. */
const notedMax = 20
const leastNoted = 5

/**
 * Stops asking a server that does not answer: it costs every caller its whole time, and keeps the server from getting
 * up again.
 */
export class Circuit {
  readonly #clock: Pick<Clock, 'elapsed'>
  readonly #pauseMs: number
  #state: CircuitState = 'closed'
  /** Grows with every change of state: what was sent before it says nothing any more. */
  #era = 0
  #noted: boolean[] = []
  #openedAt = 0
  #probing = false

  constructor(clock: Pick<Clock, 'elapsed'>, pauseMs: number) {
    this.#clock = clock
    this.#pauseMs = pauseMs
  }

  get state(): CircuitState {
    const isOver = this.#state === 'open' && this.#clock.elapsed() - this.#openedAt >= this.#pauseMs
    return isOver ? 'half open' : this.#state
  }

  /** Null: nothing may be sent now. Whatever is given has to be noted. */
  ask(): Leave | null {
    if (this.state === 'closed') return { era: this.#era, probe: false }
    if (this.state === 'open' || this.#probing) return null
    if (this.#state === 'open') this.#change('half open')
    this.#probing = true
    return { era: this.#era, probe: true }
  }

  note({ era, probe }: Leave, answered: boolean): void {
    if (era !== this.#era) return
    if (probe) {
      this.#change(answered ? 'closed' : 'open')
      return
    }
    this.#noted = [...this.#noted, answered].slice(-notedMax)
    if (answered) return
    const failed = this.#noted.filter((one) => !one).length
    if (this.#noted.length >= leastNoted && 2 * failed >= this.#noted.length) this.#change('open')
  }

  #change(state: CircuitState): void {
    this.#state = state
    this.#era += 1
    this.#noted = []
    this.#probing = false
    if (state === 'open') this.#openedAt = this.#clock.elapsed()
  }
}
