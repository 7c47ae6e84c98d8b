import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process of Java's, its group and its topics take a while to begin on a busy machine. */
const beginMs = 120_000

/** How far a contender is, and what it has used until then. */
export type Sample = {
  readonly ms: number
  /** Events that count for their customer, and for their terminal. */
  readonly customers: number
  readonly terminals: number
  readonly cpuSeconds: number
  readonly brokerCpuSeconds: number
}

type Line = { readonly customers: number; readonly terminals: number; readonly port?: number }

/** A process that folds what is in Kafka, and says on its output how far it is, a JSON object a line. */
export class Contender {
  readonly samples: Sample[] = []
  #port: number | null = null
  #errors = ''
  readonly #child: ChildProcess
  readonly #broker: number

  private constructor(child: ChildProcess, broker: number) {
    this.#child = child
    this.#broker = broker
    child.stderr!.setEncoding('utf8').on('data', (piece: string) => (this.#errors += piece))
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (line.startsWith('{')) this.#take(JSON.parse(line) as Line)
    })
  }

  /** @param broker the process whose CPU is told apart */
  static start(command: readonly string[], broker: number): Contender {
    const [program, ...args] = command
    return new Contender(spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] }), broker)
  }

  /** Where it serves. */
  get port(): number {
    return this.#port!
  }

  /** Null until it serves. */
  get portOrNull(): number | null {
    return this.#port
  }

  /** Peak of its memory in RAM, all of it: heap, buffers, code, mapped files. */
  get memoryBytes(): number {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))![1]) * 1024
  }

  /** Until as many events count, or the time is over. Throws when it ends by itself. */
  async reaches(events: number, withinMs: number): Promise<boolean> {
    return await this.#until(() => doneOf(this.samples.at(-1)) >= events, withinMs)
  }

  /** Until it has taken something. */
  async begins(): Promise<void> {
    await this.#until(() => startedOf(this.samples.at(-1)) > 0, beginMs)
    if (startedOf(this.samples.at(-1)) <= 0)
      throw new Error(`a contender does not begin\n${this.#errors.slice(-4_000)}`)
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** kill -9, and gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async #until(isDone: () => boolean, withinMs: number): Promise<boolean> {
    const until = performance.now() + withinMs
    while (!isDone()) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`a contender ended by itself\n${this.#errors.slice(-4_000)}`)
      }
      if (performance.now() > until) return false
      await sleep(10)
    }
    return true
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill(signal)
    await exited
  }

  #take({ customers, terminals, port }: Line): void {
    if (port !== undefined) this.#port = port
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.samples.push({
      ms: performance.now(),
      customers,
      terminals,
      cpuSeconds: cpuSecondsOf(this.#child.pid!),
      brokerCpuSeconds: cpuSecondsOf(this.#broker),
    })
  }
}

/** Events that count everywhere. */
function doneOf(sample: Sample | undefined): number {
  return sample === undefined ? -1 : Math.min(sample.customers, sample.terminals)
}

/** Events that count anywhere. */
export function startedOf(sample: Sample | undefined): number {
  return sample === undefined ? -1 : Math.max(sample.customers, sample.terminals)
}

/** Of all threads of a process, those that have ended too. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name, in brackets, may hold anything. Two fields further on come the others, of which user and system time
  // are the 12th and 13th, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
