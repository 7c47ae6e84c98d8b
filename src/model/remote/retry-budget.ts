/** What may be sent again before any request has earned it: a fault while there is little traffic is retried too. */
const tokensMax = 10

/**
 * How much may be sent again: a share of all requests, whoever asks. Counted per request instead, a server that fails
 * under its load would get a multiple of it.
 */
export class RetryBudget {
  readonly #share: number
  #tokens: number

  constructor(share: number) {
    this.#share = share
    this.#tokens = share === 0 ? 0 : tokensMax
  }

  /** How many may be sent again at this moment. */
  get left(): number {
    return Math.floor(this.#tokens)
  }

  /** Of a request that is sent for the first time. */
  earn(): void {
    this.#tokens = Math.min(tokensMax, this.#tokens + this.#share)
  }

  /** Whether one may be sent again, which it then has to be. */
  spend(): boolean {
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
