import { MillraceError } from '../../src/base/faults.ts'
import type { OnlineStore, StoreChange } from '../../src/store/online/online-store.ts'
import type { Actor, Scheduler } from './scheduler.ts'

/** What goes wrong with a write: not done, or done and reported as failed. */
export type StoreFaults = {
  failure(): 'fails' | 'done and fails' | null
  delayMs(): number
  /** Whether a write that was under way when its process died is there. */
  survivesDeath(): boolean
}

type Entries = Map<string, readonly [key: Uint8Array, value: Uint8Array]>

/**
 * What an online store has on disk. A write is atomic and durable from the moment when it takes effect, which may be
 * before its process hears of it, or never.
 */
export class SimulatedStoreDisk {
  #entries: Entries = new Map()
  /** Called after each write took effect. */
  onWrite: () => void = () => {}

  mount(scheduler: Scheduler, actor: Actor, faults: StoreFaults): OnlineStore {
    return new MountedStore(this, { scheduler, actor, faults })
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(nameOf(key))?.[1].slice()
  }

  get size(): number {
    return this.#entries.size
  }

  entries(from: Uint8Array, to: Uint8Array): (readonly [Uint8Array, Uint8Array])[] {
    const [low, high] = [nameOf(from), nameOf(to)]
    const names = [...this.#entries.keys()].filter((name) => low <= name && name < high).sort()
    return names.map((name) => this.#entries.get(name)!)
  }

  apply(changes: readonly StoreChange[]): void {
    for (const [key, value] of changes) {
      if (value === null) this.#entries.delete(nameOf(key))
      else this.#entries.set(nameOf(key), [key, value])
    }
    this.onWrite()
  }

  /** Somebody deleted the folder. */
  lose(): void {
    this.#entries = new Map()
  }
}

type Mount = { readonly scheduler: Scheduler; readonly actor: Actor; readonly faults: StoreFaults }

/** As the embedded store: one write after another, in the order of the calls, and none after one that failed. */
class MountedStore implements OnlineStore {
  readonly #disk: SimulatedStoreDisk
  readonly #mount: Mount
  #newest: Promise<void> = Promise.resolve()
  #failure: Error | null = null
  #open = true

  constructor(disk: SimulatedStoreDisk, mount: Mount) {
    this.#disk = disk
    this.#mount = mount
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen()
    return this.#disk.get(key)
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<readonly [Uint8Array, Uint8Array], void, undefined> {
    this.#checkOpen()
    for (const [key, value] of this.#disk.entries(from, to)) yield [key.slice(), value.slice()]
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    this.#checkOpen()
    const copies = changes.map(([key, value]): StoreChange => [key.slice(), value?.slice() ?? null])
    const written = this.#newest.then(async () => await this.#commit(copies))
    // Only the order is kept here; the error goes to whoever asked.
    this.#newest = written.catch(() => undefined)
    await written
  }

  async #commit(changes: readonly StoreChange[]): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    const { scheduler, actor, faults } = this.#mount
    const run = (): void => {
      const failure = faults.failure()
      if (failure !== 'fails') this.#disk.apply(changes)
      if (failure === null) return
      scheduler.note('store', failure)
      this.#failure = new MillraceError('STORE_WRITE_FAILED', { folder: 'store', detail: failure })
      throw this.#failure
    }
    const abandon = (): void => {
      if (faults.survivesDeath()) this.#disk.apply(changes)
    }
    await scheduler.step({ actor, label: 'store write' }, run, { delayMs: faults.delayMs(), abandon })
  }

  async close(): Promise<void> {
    this.#open = false
    await Promise.resolve()
  }

  #checkOpen(): void {
    if (!this.#open) throw new MillraceError('STORE_CLOSED', {})
  }
}

/** One character per byte, which sorts as the bytes do. */
function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}
