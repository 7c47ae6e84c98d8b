import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fetchJars } from '../../scripts/kafka/jars.ts'

/** As a console consumer prints a record. */
export type Printed = { readonly headers: string; readonly value: string }

/** Kafka's own console tools, as processes of Java. */
export class Console {
  readonly #brokers: string
  readonly #jars: string
  readonly #running = new Set<ChildProcess>()

  private constructor(brokers: string, jars: string) {
    this.#brokers = brokers
    this.#jars = jars
  }

  static async open(brokers: string): Promise<Console> {
    return new Console(brokers, await fetchJars(() => undefined))
  }

  /** `kafka-console-producer`: lines, each a key, a tab and a value. */
  async produce(topic: string, lines: readonly string[]): Promise<void> {
    const parse = ['--reader-property', 'parse.key=true']
    const child = this.#start('ConsoleProducer', ['--topic', topic, ...parse], 'pipe')
    child.stdin!.end(lines.map((line) => `${line}\n`).join(''))
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`kafka-console-producer ended with code ${code}`)
  }

  /**
   * `kafka-console-consumer` from the beginning, reading what is committed: the first record that is the one looked for,
   * or null when none came in time.
   */
  async consume(topic: string, isIt: (value: string) => boolean, withinMs: number): Promise<Printed | null> {
    const print = ['--formatter-property', 'print.headers=true']
    const only = ['--isolation-level', 'read_committed', '--from-beginning']
    const child = this.#start('consumer.ConsoleConsumer', ['--topic', topic, ...print, ...only], 'ignore')
    const timer = setTimeout(() => child.kill('SIGKILL'), withinMs)
    try {
      for await (const line of createInterface({ input: child.stdout! })) {
        const [headers, value] = line.split('\t') as [string, string]
        if (isIt(value)) return { headers, value }
      }
      return null
    } finally {
      clearTimeout(timer)
      child.kill('SIGKILL')
    }
  }

  /** Ends the tools that still run. */
  close(): void {
    for (const child of this.#running) child.kill('SIGKILL')
  }

  #start(tool: string, args: readonly string[], stdin: 'pipe' | 'ignore'): ChildProcess {
    const lean = ['-Xmx64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']
    const main = ['-cp', join(this.#jars, '*'), `org.apache.kafka.tools.${tool}`]
    const child = spawn('java', [...lean, ...main, '--bootstrap-server', this.#brokers, ...args], {
      stdio: [stdin, 'pipe', 'ignore'],
    })
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    return child
  }
}
