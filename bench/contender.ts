import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** How far a contender is, and what it has used until then. */
export type Sample = {
  readonly ms: number
  /** Events that count for their customer, and for their terminal. */
  readonly customers: number
  readonly terminals: number
  readonly cpuSeconds: number
  readonly brokerCpuSeconds: number
}

/** A process of Java's, its group and its topics take a while to begin on a busy machine. */
const beginMs = 180_000

type Said = { readonly customers: number; readonly terminals: number; readonly port?: number }
type Member = { readonly process: ChildProcess; said: Said }

/** One process or several that fold what is in Kafka, and say on their output how far they are, a JSON object a line. */
export class Contender {
  readonly samples: Sample[] = []
  readonly #members: readonly Member[]
  readonly #broker: number
  #errors = ''

  /** @param broker the process whose CPU is told apart */
  constructor(commands: readonly (readonly string[])[], broker: number) {
    this.#broker = broker
    this.#members = commands.map(([program, ...args]) => {
      const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      const member: Member = { process: child, said: { customers: 0, terminals: 0 } }
      child.stderr.setEncoding('utf8').on('data', (piece: string) => (this.#errors += piece))
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (!line.startsWith('{')) return
        member.said = JSON.parse(line) as Said
        this.#sample()
      })
      return member
    })
  }

  /** Where its processes serve, as far as they do. */
  get ports(): readonly number[] {
    return this.#members.flatMap(({ said }) => said.port ?? [])
  }

  /** Peak of its memory in RAM, all of it: heap, buffers, code, mapped files. */
  get memoryBytes(): number {
    return this.#members.reduce((sum, { process: { pid } }) => {
      return sum + Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
    }, 0)
  }

  /** Until it has taken something. */
  async begins(): Promise<void> {
    const hasBegun = await this.#until(() => startedOf(this.samples.at(-1)) > 0, beginMs)
    if (!hasBegun) throw new Error(`a contender does not begin\n${this.#errors.slice(-4_000)}`)
  }

  /** Until as many events count, or the time is over. Throws when it ends by itself. */
  async reaches(events: number, withinMs: number): Promise<boolean> {
    return await this.#until(() => doneOf(this.samples.at(-1)) >= events, withinMs)
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
      if (this.#members.some(hasEnded)) throw new Error(`a contender ended by itself\n${this.#errors.slice(-4_000)}`)
      if (performance.now() > until) return false
      await sleep(10)
    }
    return true
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    await Promise.all(
      this.#members.map(async (member) => {
        if (hasEnded(member)) return
        const exited = once(member.process, 'exit')
        member.process.kill(signal)
        await exited
      }),
    )
  }

  #sample(): void {
    if (this.#members.some(hasEnded)) return
    const sum = (pick: (member: Member) => number): number => this.#members.reduce((all, one) => all + pick(one), 0)
    this.samples.push({
      ms: performance.now(),
      customers: sum(({ said }) => said.customers),
      terminals: sum(({ said }) => said.terminals),
      cpuSeconds: sum(({ process: { pid } }) => cpuSecondsOf(pid!)),
      brokerCpuSeconds: cpuSecondsOf(this.#broker),
    })
  }
}

function hasEnded({ process: { exitCode, signalCode } }: Member): boolean {
  return exitCode !== null || signalCode !== null
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
