/** What goes wrong with the machine under a run: drawn once per seed, so that few kinds meet in one run. */
import type { DiskFaults, DiskOperation } from './simulated-disk.ts'
import type { StoreFaults } from './simulated-store.ts'
import type { Random } from './random.ts'

/** Kinds of trouble, each of which a run has or has not. */
export const faultKinds = [
  'kill',
  'power',
  'read error',
  'write error',
  'sync error',
  'disk full',
  'store error',
  'slow',
  'hang',
  'clock jump',
  'state lost',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** Probabilities per operation. */
export type FaultRates = { readonly [Kind in FaultKind]: number }

const highest: FaultRates = {
  kill: 0.02,
  power: 0.02,
  'read error': 0.01,
  'write error': 0.02,
  'sync error': 0.1,
  'disk full': 0.02,
  'store error': 0.2,
  slow: 0.2,
  hang: 0.005,
  'clock jump': 0.1,
  'state lost': 0.3,
}

/** Each kind is there or not; how often varies by a factor of thirty. */
export function drawFaultRates(random: Random, without: ReadonlySet<FaultKind>): FaultRates {
  const rates = { ...highest } as { -readonly [Kind in FaultKind]: number }
  for (const kind of faultKinds) {
    const likely = kind === 'kill' || kind === 'power' ? 0.6 : 0.3
    const [there, exponent] = [random.chance(likely), random.next()]
    rates[kind] = there && !without.has(kind) ? highest[kind] * 30 ** -exponent : 0
  }
  return rates
}

const writing: ReadonlySet<DiskOperation> = new Set(['write', 'makeFolder', 'rename', 'truncate', 'remove'])
const reading: ReadonlySet<DiskOperation> = new Set(['read', 'open', 'list', 'size'])

/** The faults of one process. */
export class ProcessFaults {
  readonly #random: Random
  readonly #rates: FaultRates
  readonly #quickReads: boolean
  #full = false
  /** Faults that this process has met. While it is zero, nothing may stop it. */
  injected = 0

  /** @param quickReads what changes nothing on disk is done at once, unless it fails. */
  constructor(random: Random, rates: FaultRates, quickReads: boolean) {
    this.#random = random
    this.#rates = rates
    this.#quickReads = quickReads
  }

  readonly disk: DiskFaults = {
    failure: (operation) => {
      const code = this.#diskFailure(operation)
      if (code !== null) this.injected += 1
      return code
    },
    delayMs: () => this.#delayMs(),
    isQuick: (operation) => this.#quickReads && (reading.has(operation) || operation === 'close'),
  }

  readonly store: StoreFaults = {
    failure: () => {
      if (!this.#happens('store error')) return null
      this.injected += 1
      return this.#random.chance(0.5) ? 'fails' : 'done and fails'
    },
    delayMs: () => this.#delayMs(),
    survivesDeath: () => this.#random.chance(0.5),
  }

  #diskFailure(operation: DiskOperation): 'EIO' | 'ENOSPC' | null {
    if (reading.has(operation)) return this.#happens('read error') ? 'EIO' : null
    if (operation === 'sync' || operation === 'syncFolder') return this.#happens('sync error') ? 'EIO' : null
    if (!writing.has(operation)) return null
    // A disk that is full stays full until somebody makes room.
    if (operation === 'write' && (this.#full || this.#happens('disk full'))) {
      this.#full = true
      return 'ENOSPC'
    }
    return this.#happens('write error') ? 'EIO' : null
  }

  #delayMs(): number {
    if (this.#happens('hang')) {
      this.injected += 1
      return Number.POSITIVE_INFINITY
    }
    return this.#happens('slow') ? this.#random.between(1, 40) : 0
  }

  #happens(kind: FaultKind): boolean {
    const rate = this.#rates[kind]
    return rate > 0 && this.#random.chance(rate)
  }
}

const none = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as FaultRates

/** A process to which nothing happens. */
export function noFaults(random: Random, quickReads: boolean): ProcessFaults {
  return new ProcessFaults(random, none, quickReads)
}
