import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { environmentName, type ProcessFaults } from './process-faults.ts'
import type { WorkerOptions } from './worker.ts'

/** One process, from its start to its end, as its parent saw it. */
export type Life = {
  readonly events: (readonly [index: number, partition: number, offset: number])[]
  /** Notes acknowledged. */
  notes: number
  /** Entities forgotten. */
  forgot: number
  /** Changes of the definitions that were carried out. */
  applied: number
  /** From the start of the process to its first answer, and until it had caught up with its log. */
  firstAnswerMs: number | null
  caughtUpMs: number | null
  /** Records read again from the log, before anything new was sent. */
  taken: number | null
  /** The crash point where it died. */
  crashed: string | null
  /** File operations that were made to fail. */
  injected: number
  /** What was written again after a failed sync. */
  retried: string[]
  /** The fault that ended it. */
  failed: string | null
  closed: boolean
  exit: { readonly code: number | null; readonly signal: string | null }
  complaint: string
}

export type Moment = { readonly after: 'start' | 'started' | 'caught-up'; readonly ms: number }

export type LifeOptions = {
  readonly worker: WorkerOptions
  readonly faults: ProcessFaults
  /** When it is killed, if it has not ended by then. */
  readonly kill: Moment
  /** Runs under another program, such as strace. */
  readonly under?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** Longer than a process that is stuck would ever need. */
const stuckMs = 45_000

export const nodeArguments: readonly string[] = [
  '--conditions=millrace-source',
  '--import',
  join(import.meta.dirname, 'preload.ts'),
]

/** What a process under test gets as its environment; compiled code is kept, since hundreds run the same sources. */
export function environmentOf(faults: ProcessFaults): NodeJS.ProcessEnv {
  return {
    ...process.env,
    [environmentName]: JSON.stringify(faults),
    NODE_COMPILE_CACHE: join(tmpdir(), 'millrace-chaos-compiled'),
    NODE_TEST_CONTEXT: '',
    NO_COLOR: '1',
  }
}

export async function live({ worker, faults, kill, under = [], environment = {} }: LifeOptions): Promise<Life> {
  const command = [...under, process.execPath, ...nodeArguments, workerFile, JSON.stringify(worker)]
  const startedAt = performance.now()
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environmentOf(faults), ...environment },
  })
  const life = newLife()
  child.stderr.setEncoding('utf8').on('data', (part: string) => (life.complaint += part))
  const timer = new KillTimer(child, kill)
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    timer.onLine(line)
    take(life, { line, atMs: performance.now() - startedAt })
  })
  const [[code, signal]] = (await Promise.all([once(child, 'exit'), once(lines, 'close')])) as [
    [number | null, string | null],
    unknown,
  ]
  timer.end()
  assert.ok(!timer.stuck, `a process was stuck: ${life.complaint}`)
  life.exit = { code, signal: signal ?? (code === 137 ? 'SIGKILL' : null) }
  return life
}

const workerFile = join(import.meta.dirname, 'worker.ts')

function newLife(): Life {
  return {
    events: [],
    notes: 0,
    forgot: 0,
    applied: 0,
    firstAnswerMs: null,
    caughtUpMs: null,
    taken: null,
    crashed: null,
    injected: 0,
    retried: [],
    failed: null,
    closed: false,
    exit: { code: null, signal: null },
    complaint: '',
  }
}

function take(life: Life, { line, atMs }: { line: string; atMs: number }): void {
  const [what, first = '', places = ''] = line.split(' ')
  if (what === 'ready') life.firstAnswerMs = atMs
  if (what === 'caught-up') {
    life.caughtUpMs = atMs
    life.taken = Number(first)
  }
  if (what === 'noted') life.notes = Number(first)
  if (what === 'forgot') life.forgot += 1
  if (what === 'applied') life.applied += 1
  if (what === 'crashed') life.crashed = first
  if (what === 'injected') life.injected += 1
  if (what === 'retried') life.retried.push(first)
  if (what === 'failed') life.failed = first
  if (what === 'closed') life.closed = true
  if (what !== 'acked') return
  places.split(',').forEach((place, nth) => {
    const [partition, offset] = place.split(':').map(Number) as [number, number]
    life.events.push([Number(first) + nth, partition, offset])
  })
}

/** Kills the process itself, also when it runs under another program that would leave it alive. */
class KillTimer {
  stuck = false
  readonly #child: ChildProcess
  readonly #kill: Moment
  readonly #ended = new AbortController()
  #pid: number | null = null

  constructor(child: ChildProcess, kill: Moment) {
    this.#child = child
    this.#kill = kill
    if (kill.after === 'start') void this.#killIn(kill.ms)
    void this.#killIn(stuckMs, true)
  }

  onLine(line: string): void {
    if (line.startsWith('started ')) this.#pid = Number(line.slice('started '.length))
    const { after, ms } = this.#kill
    if (after !== 'start' && line.startsWith(`${after} `)) void this.#killIn(ms)
  }

  end(): void {
    this.#ended.abort()
  }

  async #killIn(ms: number, stuck = false): Promise<void> {
    try {
      await sleep(ms, null, { signal: this.#ended.signal })
    } catch {
      // It ended before.
      return
    }
    this.stuck ||= stuck
    try {
      if (this.#pid !== null) process.kill(this.#pid, 'SIGKILL')
    } catch (error) {
      // It ended just now.
      assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH')
    }
    if (this.#pid === null || stuck) this.#child.kill('SIGKILL')
  }
}
