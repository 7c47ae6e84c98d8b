import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type NodeSettings = {
  readonly id: number
  readonly folder: string
  readonly jars: string
  readonly properties: string
  readonly clusterId: string
  readonly heapMebibytes: number
  /** User → password, for SCRAM: such users are part of what a new cluster is formatted with. */
  readonly users: Readonly<Record<string, string>>
}

/** One broker that is its own controller: a Java process, its folder and its log. */
export class KafkaNode {
  readonly id: number
  readonly #settings: NodeSettings
  #process: ChildProcess | null = null
  /** Where the log of the process that runs begins: those before it are kept. */
  #logFrom = 0

  constructor(settings: NodeSettings) {
    this.id = settings.id
    this.#settings = settings
  }

  get pid(): number | null {
    return this.#process?.pid ?? null
  }

  get logFile(): string {
    return join(this.#settings.folder, 'server.log')
  }

  /** Begins the node's folder, if it has not been begun. */
  async format(): Promise<void> {
    const { folder, properties, clusterId, users } = this.#settings
    const file = join(folder, 'server.properties')
    await mkdir(folder, { recursive: true })
    await writeFile(file, properties)
    if (existsSync(join(folder, 'data', 'meta.properties'))) return
    const credentials = Object.entries(users).flatMap(([name, password]) =>
      ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
        '--add-scram',
        `${mechanism}=[name=${name},password=${password}]`,
      ]),
    )
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file, ...credentials]
    await run('java', [...this.#javaOptions(), ...format])
  }

  /** Starts the process, without waiting for it: see `ready`. */
  async start(): Promise<void> {
    if (this.#process !== null) throw new Error(`node ${this.id} runs already`)
    const output = await open(this.logFile, 'a')
    this.#logFrom = (await stat(this.logFile)).size
    try {
      const args = [...this.#javaOptions(), 'kafka.Kafka', join(this.#settings.folder, 'server.properties')]
      const child = spawn('java', args, { stdio: ['ignore', output.fd, output.fd] })
      this.#process = child
      child.once('exit', () => {
        if (this.#process === child) this.#process = null
      })
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', reject)
      })
    } finally {
      await output.close()
    }
  }

  /** Resolves when the broker serves. Rejects with the end of its log when it exits or takes longer. */
  async ready(timeoutMs: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += 50) {
      const log = await readFile(this.logFile)
      if (log.includes('Kafka Server started', this.#logFrom)) return
      if (this.#process === null) throw new Error(`node ${this.id} has ended\n${await this.logTail()}`)
      await sleep(50)
    }
    throw new Error(`node ${this.id} is not ready after ${timeoutMs} ms\n${await this.logTail()}`)
  }

  /** Asks the broker to stop and waits; after the time given it is killed. */
  async stop(timeoutMs = 20_000): Promise<void> {
    const ended = this.#ended()
    this.#process?.kill('SIGTERM')
    const done = new AbortController()
    await Promise.race([ended, sleep(timeoutMs, undefined, { signal: done.signal }).catch(() => undefined)])
    done.abort()
    await this.kill()
  }

  /** kill -9, and waits until the process is gone. */
  async kill(): Promise<void> {
    const ended = this.#ended()
    this.#process?.kill('SIGKILL')
    await ended
  }

  /** Any other signal, such as SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    if (this.#process === null) throw new Error(`node ${this.id} does not run`)
    this.#process.kill(signal)
  }

  async logTail(lines = 30): Promise<string> {
    if (!existsSync(this.logFile)) return ''
    return (await readFile(this.logFile, 'utf8')).trimEnd().split('\n').slice(-lines).join('\n')
  }

  #ended(): Promise<void> {
    const child = this.#process
    return child === null ? Promise.resolve() : new Promise((resolve) => child.once('exit', () => resolve()))
  }

  #javaOptions(): string[] {
    const { heapMebibytes, jars } = this.#settings
    const logging = `-Dlog4j2.configurationFile=file:${join(import.meta.dirname, 'log4j2.xml')}`
    // The quick compiler alone and no threads for collecting: ready sooner, and two cores have other work.
    const lean = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', '-XX:-UsePerfData']
    return [`-Xmx${heapMebibytes}m`, '-Xms64m', ...lean, logging, '-cp', join(jars, '*')]
  }
}
