import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import type { CrashPoint } from '../../src/base/crash-points.ts'
import { makeRandom } from '../integration/kill-stream.ts'
import type { Tally } from '../oracle/matches-log.ts'
import { crashLife, leaveRemains } from './crash-lives.ts'
import { type DrainedDev, drainDev } from './drain-dev.ts'
import { fileOperations } from './failing-file-system.ts'
import { type Life, type LifeOptions, live, type Moment } from './life.ts'
import { noFaults, type ProcessFaults } from './process-faults.ts'
import { isStoreAbort, straceCommand } from './strace.ts'
import type { Acknowledged } from './verify.ts'
import type { WorkerOptions } from './worker.ts'

export const faultKinds = ['crash point', 'kill', 'power cut', 'disk error', 'system call error', 'SIGTERM'] as const
export type FaultKind = (typeof faultKinds)[number]

/** What a lane is to do next. */
export type Task =
  | { readonly kind: Exclude<FaultKind, 'crash point'> }
  | { readonly kind: 'crash point'; readonly point: CrashPoint }

/** What became of it. `hit` is false when the process ended, or was killed, before the fault came. */
export type Outcome = {
  readonly kind: FaultKind
  readonly hit: boolean
  readonly point: CrashPoint | null
  readonly fault: string | null
  readonly firstAnswerMs: number | null
  readonly caughtUpMs: number | null
  readonly drainMs: number | null
}

const partitions = 3
/** How many acknowledged events the next process sends again. */
const overlapMax = 60
const eventsMax = 1_000_000

/**
 * One data folder and the processes that run on it, one after the other, each with its own fault. After some of them
 * what they left is held against the model, and the folder begins anew.
 */
export class Lane {
  readonly tallies: Tally[] = []
  readonly changes: boolean
  readonly done = { rebuilds: 0, applied: 0, forgotten: 0 }
  readonly #root: string
  readonly #seed: number
  readonly #random: () => number
  #epoch = 0
  #run = 0
  #next = 0
  #events: Acknowledged['events'][number][] = []
  #notes = 0
  #forgot = 0
  /** The last process closed in peace: the next one has nothing to do again. */
  #clean = false
  #recovers = false

  /** @param changes whether the definitions change and entities are forgotten meanwhile. */
  constructor(root: string, { seed, changes }: { seed: number; changes: boolean }) {
    this.#root = root
    this.changes = changes
    this.#seed = seed
    this.#random = makeRandom(seed)
    this.#begin()
  }

  get folder(): string {
    return join(this.#root, `epoch-${this.#epoch}`)
  }

  async carryOut(task: Task): Promise<Outcome> {
    switch (task.kind) {
      case 'crash point':
        return await this.#crash(task.point)
      case 'kill':
        this.#loseState()
        return this.#outcome('kill', await this.#live({ kill: this.#killMoment() }), true)
      case 'power cut': {
        const faults = { ...noFaults, powerCut: { seed: this.#below(2 ** 31) } }
        return this.#outcome('power cut', await this.#live({ faults, kill: this.#killMoment() }), true)
      }
      case 'disk error':
        return await this.#diskError()
      case 'system call error': {
        const { under, environment } = straceCommand(this.folder, this.#random)
        const life = await this.#live({ under, environment, kill: { after: 'caught-up', ms: 900 } })
        if (isStoreAbort({ signal: life.exit.signal, complaint: life.complaint })) life.failed = 'abort in lmdb-js'
        return this.#outcome('system call error', life, life.failed !== null)
      }
      case 'SIGTERM':
        return await this.#drain()
    }
  }

  /** Compares a copy of what is there with the model; throws when they differ. */
  async verify(): Promise<void> {
    const copy = `${this.folder}-copy`
    cpSync(this.folder, copy, { recursive: true })
    const acknowledged = `${copy}.json`
    const promised: Acknowledged = { events: this.#events, notes: this.#notes, forgot: this.#forgot }
    writeFileSync(acknowledged, JSON.stringify(promised))
    const options = { folder: copy, seed: this.#epochSeed, partitions, acknowledged, changes: this.changes }
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=millrace-source', join(import.meta.dirname, 'verify.ts'), JSON.stringify(options)],
      { env: { ...process.env, NODE_TEST_CONTEXT: '' }, maxBuffer: 64 * 1024 * 1024 },
    )
    this.tallies.push(JSON.parse(stdout) as Tally)
    rmSync(copy, { recursive: true })
    rmSync(acknowledged)
  }

  /** Another folder, other events. */
  beginAnew(): void {
    rmSync(this.folder, { recursive: true, force: true })
    this.#epoch += 1
    this.#begin()
  }

  get #epochSeed(): number {
    return this.#seed + this.#epoch * 65_537
  }

  #begin(): void {
    mkdirSync(join(this.folder, 'log'), { recursive: true })
    this.#next = 0
    this.#events = []
    this.#notes = 0
    this.#forgot = 0
    this.#clean = false
    this.#recovers = false
  }

  async #crash(point: CrashPoint): Promise<Outcome> {
    const { faults, closeAfterMs, folder } = crashLife(point, this.#random)
    if (folder === 'new' && this.#recovers) {
      await this.verify()
      this.beginAnew()
    }
    if (folder === 'used' && this.#events.length < 50) await this.#live({ kill: { after: 'caught-up', ms: 700 } })
    // Only a dead process leaves a lock that can be taken over.
    const takesOver = /^lock\.(claimed|moved|taken)/.test(point)
    if (takesOver && !existsSync(join(this.folder, 'log', 'lock'))) {
      await this.#live({ kill: { after: 'caught-up', ms: 100 } })
    }
    for (let more = 8; more > 0 && !leaveRemains(point, this.folder); more--) {
      await this.#live({ kill: { after: 'caught-up', ms: 1_000 } })
    }
    if (/^engine\.forget\.(found|mended)/.test(point)) {
      const crash = { point: 'engine.forget.written', nth: 1 } as const
      await this.#live({ faults: { ...noFaults, crash }, kill: { after: 'caught-up', ms: 3_000 } })
    }
    const life = await this.#live({ faults, kill: { after: 'caught-up', ms: 3_000 }, closeAfterMs })
    return this.#outcome('crash point', life, life.crashed === point, point)
  }

  /** Now and then the state is gone, and is made again from the log. */
  #loseState(): void {
    if (this.#below(6) > 0) return
    for (const name of ['state', 'store']) rmSync(join(this.folder, name), { recursive: true, force: true })
    this.#clean = false
    this.done.rebuilds += 1
  }

  async #diskError(): Promise<Outcome> {
    const code = this.#below(2) === 0 ? 'EIO' : 'ENOSPC'
    const operation =
      code === 'ENOSPC' ? this.#pick(['write', 'write', 'open', 'rename'] as const) : this.#pick(diskErrors)
    const often = operation === 'write' || operation === 'sync'
    const nth = 1 + Math.floor(this.#random() ** 2 * (often ? 120 : 25))
    const file = { operation, nth, code, stays: code === 'ENOSPC' } as const
    const powerCut = this.#below(2) === 0 ? null : { seed: this.#below(2 ** 31) }
    const life = await this.#live({ faults: { ...noFaults, file, powerCut }, kill: { after: 'caught-up', ms: 900 } })
    assert.deepEqual(life.retried, [], 'a file was written or synced again after its sync had failed')
    // An error that only the notes met does not stop the engine, nor this process when it came while closing.
    return this.#outcome('disk error', life, life.injected > 0)
  }

  async #drain(): Promise<Outcome> {
    const from = Math.max(0, this.#next - this.#below(overlapMax))
    const load = { seed: this.#epochSeed, from, ms: 150 + this.#random() * 300 }
    const drained: DrainedDev = await drainDev({ folder: this.folder, partitions, load })
    this.#take(drained.events, this.#notes)
    this.#clean = true
    this.#recovers = true
    return {
      kind: 'SIGTERM',
      hit: true,
      point: null,
      fault: null,
      firstAnswerMs: null,
      caughtUpMs: null,
      drainMs: drained.drainMs,
    }
  }

  async #live(options: Partial<LifeOptions> & { kill: Moment; closeAfterMs?: number | null }): Promise<Life> {
    const from = Math.max(0, this.#next - this.#below(overlapMax))
    const worker: WorkerOptions = {
      folder: this.folder,
      seed: this.#epochSeed,
      run: this.#run++,
      from,
      to: eventsMax,
      checkpointMs: this.#pick([5, 10, 20]),
      keysMax: this.#pick([0, 8, 100_000]),
      partitions,
      variant: this.changes ? this.#pick(['a', 'b', 'c'] as const) : 'a',
      changes: this.changes,
      closeAfterMs: options.closeAfterMs ?? null,
    }
    const { faults = noFaults, kill, under = [], environment = {} } = options
    const life = await live({ worker, faults, kill, under, environment })
    const aborted = under.length > 0 && isStoreAbort({ signal: life.exit.signal, complaint: life.complaint })
    const ends =
      aborted || life.exit.signal === 'SIGKILL' || (life.exit.code === 1 && life.failed !== null) || life.closed
    assert.ok(
      ends,
      `a process ended in a way of its own: ${JSON.stringify({ ...life, events: life.events.length, faults, under })}`,
    )
    // What is built for other definitions is read from the log's start.
    if (this.#clean && !this.changes && life.taken !== null)
      assert.equal(life.taken, 0, 'after a clean end, records were taken again')
    this.#clean = life.closed
    this.#take(life.events, life.notes)
    this.#forgot += life.forgot
    this.done.forgotten += life.forgot
    this.done.applied += life.applied
    return life
  }

  #take(events: Acknowledged['events'], notes: number): void {
    for (const event of events) {
      this.#events.push(event)
      this.#next = Math.max(this.#next, event[0] + 1)
    }
    this.#notes = Math.max(this.#notes, notes)
  }

  /** A recovery is one that found something to recover. */
  #outcome(kind: FaultKind, life: Life, hit: boolean, point: CrashPoint | null = null): Outcome {
    // Under strace all is slower.
    const recovered = this.#recovers && kind !== 'system call error'
    this.#recovers = true
    const { failed, firstAnswerMs, caughtUpMs } = life
    return {
      kind,
      hit,
      point,
      fault: failed,
      firstAnswerMs: recovered ? firstAnswerMs : null,
      caughtUpMs: recovered ? caughtUpMs : null,
      drainMs: null,
    }
  }

  #killMoment(): Moment {
    const ms = this.#random()
    return this.#pick<Moment>([
      { after: 'start', ms: 50 + ms * 700 },
      { after: 'started', ms: ms * 150 },
      { after: 'caught-up', ms: ms * 300 },
      { after: 'caught-up', ms: ms * 300 },
      { after: 'caught-up', ms: ms * 300 },
    ])
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count)
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)]!
  }
}

const diskErrors = ['sync', 'sync', 'sync', 'sync', ...fileOperations] as const
export type { ProcessFaults }
