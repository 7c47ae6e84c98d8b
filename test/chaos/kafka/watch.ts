import { setTimeout as sleep } from 'node:timers/promises'
import type { Feeder } from './feeder.ts'
import type { Member } from './member.ts'
import type { Status } from './worker.ts'

const sampleMs = 100
/** A process that works and does not answer within it is not there, as far as readers are concerned. */
const answerMs = 2_000

export type WatchOptions = {
  readonly feeder: Feeder
  readonly members: () => readonly Member[]
  /** Every partition that has to be somebody's, as `topic/partition`. */
  readonly partitions: readonly string[]
  /** What counts as the lag of before: how old an event may be that is not in the states of its keys. */
  readonly freshMs: number
  /** How long it has to be well again before that counts. */
  readonly quietMs: number
}

/** Looks all the time whether each partition is somebody's, and how old what is not in the states yet. */
export class Watch {
  readonly #options: WatchOptions
  readonly #running: Promise<void>
  #stop = false
  /** Since when it has been well without a break; null: it is not. */
  #wellSinceMs: number | null = null
  #last = 'nobody was asked yet'

  constructor(options: WatchOptions) {
    this.#options = options
    this.#running = this.#run()
    this.#running.catch(() => undefined)
  }

  async end(): Promise<void> {
    this.#stop = true
    await this.#running
  }

  /** How long after `fromMs` everything was well again, and stayed so. Throws when that does not come within `limitMs`. */
  async regained(fromMs: number, limitMs: number): Promise<number> {
    const { quietMs, members } = this.#options
    for (;;) {
      const now = performance.now()
      const since = this.#wellSinceMs
      if (since !== null && now - Math.max(since, fromMs) >= quietMs) return Math.max(0, since - fromMs)
      if (members().some(({ hasFailed }) => hasFailed)) throw new Error('a member ended by itself')
      if (now - fromMs > limitMs) throw new Error(`not well again after ${limitMs} ms: ${this.#last}`)
      await Promise.race([sleep(sampleMs), this.#running])
    }
  }

  /** Resolves when each member has some of the work. Throws when that does not come within `limitMs`. */
  async shared(limitMs: number): Promise<void> {
    const { members } = this.#options
    const fromMs = performance.now()
    for (;;) {
      if (performance.now() - fromMs > limitMs)
        throw new Error(`a member has no work after ${limitMs} ms: ${this.#last}`)
      const statuses = await this.#ask()
      if (statuses.length === members().length && statuses.every(({ owned }) => owned.length > 0)) return
      if (members().some(({ hasFailed }) => hasFailed)) throw new Error('a member ended by itself')
      await sleep(sampleMs)
    }
  }

  async #run(): Promise<void> {
    while (!this.#stop) {
      const startedMs = performance.now()
      const statuses = await this.#ask()
      this.#judge(statuses, startedMs)
      await sleep(Math.max(0, sampleMs - (performance.now() - startedMs)))
    }
  }

  async #ask(): Promise<readonly Status[]> {
    const working = this.#options.members().filter(({ isWorking }) => isWorking)
    const found = await Promise.all(
      working.map(async (member) => {
        const late = new AbortController()
        // One that was killed meanwhile gives no answer either.
        const answer = member.status().catch(() => null)
        const status = await Promise.race([answer, sleep(answerMs, null, late).catch(() => null)])
        late.abort()
        return status
      }),
    )
    return found.filter((status) => status !== null)
  }

  #judge(statuses: readonly Status[], atMs: number): void {
    const owned = new Set(statuses.flatMap((status) => status.owned))
    const missing = this.#options.partitions.filter((one) => !owned.has(one))
    const folding = statuses.filter((status) => status.owned.some((one) => one.includes('processed-events.')))
    const count = folding[0]?.prefix.length ?? 0
    const prefix = Array.from({ length: count }, (_, at) => Math.min(...folding.map((status) => status.prefix[at]!)))
    const oldMs = missing.length === 0 ? this.#options.feeder.oldestMs(prefix) : Number.POSITIVE_INFINITY
    this.#wellSinceMs = oldMs > this.#options.freshMs ? null : (this.#wellSinceMs ?? atMs)
    const troubles = statuses.flatMap(({ halted, troubles: passing, fault }) =>
      [...halted, ...passing, fault ?? []].flat(),
    )
    this.#last = `${statuses.length} members, nobody has [${missing.join(', ')}], ${Math.round(oldMs)} ms old; ${troubles.join('; ')}`
  }
}
