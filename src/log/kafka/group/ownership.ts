import type { Clock } from '../../../base/clock.ts'
import type { GroupOptions, GroupPartition } from './group-options.ts'

type Owned = GroupPartition & { lost: boolean }
type Callbacks = Pick<GroupOptions, 'onAssigned' | 'onRevoked' | 'onRebalance'>

/**
 * What a member owns, and its way to what it should own: one callback after the other, letting go before taking. What
 * is being let go is owned until `onRevoked` resolves; what is being taken is owned from before `onAssigned` is called.
 */
export class Ownership {
  readonly #callbacks: Callbacks
  readonly #clock: Clock
  readonly #onStep: () => void
  readonly #owned = new Map<string, Owned>()
  #target = new Map<string, GroupPartition>()
  #running: Promise<void> | null = null
  #losing = new AbortController()
  #failure: unknown = null
  #closed = false

  /** @param onStep Called after each step: what is owned has changed, or a callback has failed. */
  constructor(callbacks: Callbacks, clock: Clock, onStep: () => void) {
    this.#callbacks = callbacks
    this.#clock = clock
    this.#onStep = onStep
  }

  get owned(): readonly GroupPartition[] {
    return [...this.#owned.values()].map(({ topic, partition }) => ({ topic, partition }))
  }

  /** Whether something is on its way out. */
  get isLettingGo(): boolean {
    for (const [name, { lost }] of this.#owned) if (lost || !this.#target.has(name)) return true
    return false
  }

  get isLosing(): boolean {
    for (const { lost } of this.#owned.values()) if (lost) return true
    return false
  }

  /** What a callback threw: the member cannot go on. */
  get failure(): unknown {
    return this.#failure
  }

  aim(partitions: readonly GroupPartition[]): void {
    if (this.#closed) return
    this.#target = new Map(partitions.map((one) => [nameOf(one), one]))
    this.#run()
  }

  /** Everything that is owned now may be somebody else's. */
  lose(): void {
    for (const one of this.#owned.values()) one.lost = true
    this.#target = new Map()
    this.#losing.abort()
    this.#losing = new AbortController()
    this.#run()
  }

  /** Lets everything go, for good. */
  async close(): Promise<void> {
    this.aim([])
    this.#closed = true
    this.#losing.abort()
    await this.settled()
  }

  async settled(): Promise<void> {
    await this.#running
  }

  #run(): void {
    if (this.#failure !== null) return
    this.#running ??= this.#reconcile()
      .catch((error: unknown) => {
        this.#failure = error
      })
      .finally(() => {
        this.#running = null
        this.#onStep()
      })
  }

  async #reconcile(): Promise<void> {
    const startedMs = this.#clock.elapsed()
    const count = { assigned: 0, moved: 0, lost: 0 }
    for (;;) {
      const owned = [...this.#owned.values()]
      const lost = owned.filter((one) => one.lost)
      const moved = owned.filter((one) => !one.lost && !this.#target.has(nameOf(one)))
      const added = [...this.#target.values()].filter((one) => !this.#owned.has(nameOf(one)))
      if (lost.length > 0) {
        await this.#callbacks.onRevoked(lost.map(plain), 'lost')
        count.lost += lost.length
      } else if (moved.length > 0) {
        await this.#callbacks.onRevoked(moved.map(plain), 'moved')
        count.moved += moved.length
      } else if (added.length > 0) {
        for (const one of added) this.#owned.set(nameOf(one), { ...one, lost: false })
        await this.#callbacks.onAssigned(added.map(plain), this.#losing.signal)
        count.assigned += added.length
      } else break
      for (const one of [...lost, ...(lost.length > 0 ? [] : moved)]) this.#owned.delete(nameOf(one))
      this.#onStep()
    }
    if (count.assigned + count.moved + count.lost === 0) return
    const ms = this.#clock.elapsed() - startedMs
    this.#callbacks.onRebalance?.({ ...count, owned: this.#owned.size, ms })
  }
}

export function nameOf({ topic, partition }: GroupPartition): string {
  return `${topic}/${partition}`
}

function plain({ topic, partition }: GroupPartition): GroupPartition {
  return { topic, partition }
}
