import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import process from 'node:process'
import type { Question, Status, WorkerOptions } from './worker.ts'

export type MemberSettings = {
  readonly options: WorkerOptions
  /** What the process prints is added to it. */
  readonly logFile: string
  /** Names a bug that is planted in its sources. */
  readonly mutant: string | null
}

/** A process of the cluster under test, as whoever started it sees it. */
export class Member {
  readonly folder: string
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #exit = Promise.withResolvers<{ readonly code: number | null; readonly signal: string | null }>()
  readonly #ready = Promise.withResolvers<void>()
  #asked = 0
  #isReady = false
  #isStopped = false
  #isEnding = false
  #hasEnded = false

  constructor({ options, logFile, mutant }: MemberSettings) {
    this.folder = options.folder
    const output = openSync(logFile, 'a')
    const planted =
      mutant === null ? [] : ['--import', new URL('../../simulation/mutant-hook.ts', import.meta.url).href]
    this.#child = fork(new URL('worker.ts', import.meta.url), [JSON.stringify(options)], {
      execArgv: ['--conditions=millrace-source', '--max-old-space-size=256', ...planted],
      env: { ...process.env, NODE_TEST_CONTEXT: '', ...(mutant === null ? {} : { SIMULATION_MUTANT: mutant }) },
      stdio: ['ignore', output, output, 'ipc'],
      serialization: 'advanced',
    })
    closeSync(output)
    this.#ready.promise.catch(() => undefined)
    this.#child.on('message', (message) => this.#hear(message as Answer))
    this.#child.once('exit', (code, signal) => {
      this.#hasEnded = true
      const error = new Error(`a member has ended: ${signal ?? code}`)
      this.#ready.reject(error)
      for (const { reject } of this.#waiting.values()) reject(error)
      this.#exit.resolve({ code, signal })
    })
  }

  /** Resolves when it is a member of the group; nothing need be assigned to it yet. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** Whether it can be expected to work: it runs, and nobody stopped it or told it to end. */
  get isWorking(): boolean {
    return this.#isReady && !this.#isStopped && !this.#isEnding && !this.#hasEnded
  }

  /** Its end was nobody's wish. */
  get hasFailed(): boolean {
    return this.#hasEnded && !this.#isEnding
  }

  async status(): Promise<Status> {
    return (await this.ask({ ask: 'status' })) as Status
  }

  async ask(question: Question): Promise<unknown> {
    const id = this.#asked++
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    this.#child.send({ id, question }, (error) => {
      if (error !== null) waiting.reject(error)
    })
    return await waiting.promise.finally(() => this.#waiting.delete(id))
  }

  stop(): void {
    this.#isStopped = true
    this.#child.kill('SIGSTOP')
  }

  continue(): void {
    this.#child.kill('SIGCONT')
    this.#isStopped = false
  }

  async kill(): Promise<void> {
    this.#isEnding = true
    this.#child.kill('SIGKILL')
    await this.#exit.promise
  }

  /** SIGTERM; throws when it does not end well. */
  async drain(): Promise<void> {
    this.#isEnding = true
    this.#child.kill('SIGTERM')
    const { code, signal } = await this.#exit.promise
    if (code !== 0) throw new Error(`a member that was told to end came to ${signal ?? `exit code ${code}`}`)
  }

  #hear(message: Answer): void {
    if ('ready' in message) {
      this.#isReady = true
      this.#ready.resolve()
      return
    }
    const waiting = this.#waiting.get(message.id)
    if ('fault' in message) waiting?.reject(new Error(message.fault))
    else waiting?.resolve(message.given)
  }
}

type Answer =
  | { readonly ready: true }
  | { readonly id: number; readonly given: unknown }
  | { readonly id: number; readonly fault: string }
