import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeRandom } from '../integration/kill-stream.ts'
import { customersMax, makeSoakEvent, payments, scoring, terminalsMax } from './soak-definitions.ts'

/** What a running service is asked for, all at once, until it is told to stop. It may go away and come back meanwhile. */
export class SoakLoad {
  readonly counts = { single: 0, batched: 0, reads: 0, trainings: 0, explanations: 0, lists: 0, unanswered: 0 }
  /** What was acknowledged: partition, offset, the event. */
  readonly acknowledged: (readonly [partition: number, offset: number, event: Uint8Array])[] = []
  address: string | null = null
  readonly #folder: string
  readonly #seed: number
  readonly #stop = new AbortController()
  #index = 0

  constructor(folder: string, seed: number) {
    this.#folder = folder
    this.#seed = seed
  }

  stop(): void {
    this.#stop.abort()
  }

  /** @param rate events a second. */
  async run(rate: number): Promise<void> {
    const batch = 20
    await Promise.all([
      this.#repeat((2 * 1_000) / rate, () => this.#sendSingle()),
      this.#repeat((2 * batch * 1_000) / rate, () => this.#sendBatch(batch)),
      this.#repeat(50, () => this.#read()),
      this.#repeat(15_000, () => this.#command()),
    ])
  }

  async #repeat(everyMs: number, action: () => Promise<void>): Promise<void> {
    const startedAt = performance.now()
    for (let count = 1; !this.#stop.signal.aborted; count++) {
      if (this.address !== null) await action()
      // No catching up for what was missed while it was away.
      const waitMs = Math.max(1, startedAt + count * everyMs - performance.now())
      await sleep(Math.min(waitMs, everyMs))
    }
  }

  async #sendSingle(): Promise<void> {
    const [event] = this.#events(1)
    // A request of JSON that is cut off is refused whole; a line of many is not.
    const type = event!.at(-1) === 0x7d ? 'application/json' : 'application/x-ndjson'
    if (await this.#post([event!], type)) this.counts.single += 1
  }

  async #sendBatch(count: number): Promise<void> {
    if (await this.#post(this.#events(count), 'application/x-ndjson')) this.counts.batched += count
  }

  #events(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => {
      const event = makeSoakEvent({ seed: this.#seed, index: this.#index, nowMs: Date.now() })
      this.#index += 1
      return event
    })
  }

  async #post(events: readonly Uint8Array[], type: string): Promise<boolean> {
    const body = Buffer.concat(events.flatMap((event) => [event, Buffer.from('\n')]))
    const answer = await this.#ask(`/v1/events/${payments.name}`, body, type)
    if (answer === null) return false
    assert.ok(answer.status === 202 || answer.status === 422, `${answer.status}: ${answer.text}`)
    const { offsets } = JSON.parse(answer.text) as { offsets: { partition: number; offset: number }[] }
    offsets.forEach(({ partition, offset }, nth) => this.acknowledged.push([partition, offset, events[nth]!]))
    return true
  }

  async #read(): Promise<void> {
    const random = makeRandom(this.#seed + this.counts.reads)
    const entities = Array.from({ length: 10 }, () => ({
      customerId: Math.floor(random() * customersMax),
      terminalId: `T${Math.floor(random() * terminalsMax)}`,
    }))
    const body = Buffer.from(JSON.stringify({ service: scoring.name, entities }))
    const answer = await this.#ask('/v1/features', body, 'application/json')
    if (answer === null) return
    assert.equal(answer.status, 200, answer.text)
    this.counts.reads += 1
  }

  /** Null: it went away, or is about to. */
  async #ask(path: string, body: Uint8Array, type: string): Promise<{ status: number; text: string } | null> {
    try {
      const response = await fetch(`${this.address}${path}`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: body as unknown as ArrayBuffer,
      })
      const answer = { status: response.status, text: await response.text() }
      if (answer.status !== 503) return answer
    } catch {
      // The connection was refused or cut off, as when a process is killed.
    }
    this.counts.unanswered += 1
    return null
  }

  /** Commands that read the folder beside the running process. */
  async #command(): Promise<void> {
    const definitions = join(import.meta.dirname, 'soak-definitions.ts')
    const folder = ['--folder', this.#folder]
    const work = `${this.#folder}-work`
    mkdirSync(work, { recursive: true })
    const spine = join(work, 'spine.csv')
    const at = new Date(Date.now() - 1_000).toISOString()
    writeFileSync(spine, `customerId,terminalId,at\n1,T1,${at}\n7,T2,${at}\n30,T3,${at}\n`)
    const out = ['--out', join(work, 'set.parquet')]
    await runCommand([
      'train',
      definitions,
      '--service',
      scoring.name,
      '--spine',
      spine,
      '--at',
      'at',
      ...folder,
      ...out,
    ])
    this.counts.trainings += 1
    await runCommand(['explain', definitions, scoring.name, 'count_30s', 'customerId=1', ...folder, '--json'])
    this.counts.explanations += 1
    await runCommand(['dlq', 'list', '--limit', '20', ...folder])
    this.counts.lists += 1
    rmSync(work, { recursive: true })
  }
}

async function runCommand(args: readonly string[]): Promise<void> {
  const main = join(import.meta.dirname, '../../src/cli/main.ts')
  const child = spawn(process.execPath, ['--conditions=millrace-source', main, ...args], { timeout: 60_000 })
  const [, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  assert.equal(code, 0, `millrace ${args.join(' ')}: ${stderr}`)
}
