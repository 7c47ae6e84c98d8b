import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeEvent, payments } from '../integration/kill-stream.ts'
import { environmentOf, nodeArguments } from './life.ts'
import { noFaults, type ProcessFaults } from './process-faults.ts'
import type { Acknowledged } from './verify.ts'

export type Dev = {
  readonly process: ChildProcess
  /** From the start of the process to the line that says where it listens. */
  readonly readyMs: number
  readonly address: string
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null; readonly stderr: string }>
}

export type DevOptions = {
  readonly folder: string
  readonly partitions: number
  readonly faults?: ProcessFaults
  readonly definitions?: string
  readonly port?: number
  /** Of Node itself. */
  readonly nodeOptions?: readonly string[]
}

/** Starts the real `millrace dev`; resolves when it takes requests, or with what it said when it ended before that. */
export async function startDev(options: DevOptions): Promise<Dev> {
  const dev = launchDev(options)
  const address = await Promise.race([dev.address, dev.ended.then(({ stderr }) => assert.fail(`dev ended: ${stderr}`))])
  return { process: dev.process, address, readyMs: dev.readyMs(), ended: dev.ended }
}

/** The same without waiting, for a process that may not come to it. */
export function launchDev({
  folder,
  partitions,
  faults = noFaults,
  definitions = ownDefinitions,
  port = 0,
  nodeOptions = [],
}: DevOptions): {
  process: ChildProcess
  address: Promise<string>
  readyMs: () => number
  ended: Dev['ended']
} {
  const args = ['dev', definitions, '--folder', folder, '--partitions', String(partitions), '--port', String(port)]
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...nodeOptions, ...nodeArguments, main, ...args], {
    env: environmentOf(faults),
  })
  const text = { stdout: '', stderr: '' }
  let readyAt = 0
  const address = new Promise<string>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text.stdout += part
      const found = /^millrace (\S+)/m.exec(text.stdout)
      if (found === null || readyAt > 0) return
      readyAt = performance.now()
      resolve(found[1]!)
    })
  })
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text.stderr += part))
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    stderr: text.stderr,
  }))
  return { process: child, address, readyMs: () => readyAt - startedAt, ended }
}

const main = join(import.meta.dirname, '../../src/cli/main.ts')
const ownDefinitions = join(import.meta.dirname, 'definitions.ts')

export type Load = { readonly seed: number; readonly from: number; readonly ms: number }

export type DrainedDev = { readonly events: Acknowledged['events']; readonly drainMs: number; readonly readyMs: number }

/** Loads a `millrace dev` over HTTP and asks it to stop in the middle of that: it must finish and exit with 0. */
export async function drainDev(options: DevOptions & { readonly load: Load }): Promise<DrainedDev> {
  const dev = await startDev(options)
  try {
    const sender = new Sender(dev.address, options.load)
    const sending = [sender.run(), sender.run(), sender.run()]
    await sleep(options.load.ms)
    const askedAt = performance.now()
    dev.process.kill('SIGTERM')
    const { code, signal, stderr } = await dev.ended
    const drainMs = performance.now() - askedAt
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `after SIGTERM: ${stderr}`)
    await Promise.all(sending)
    return { events: sender.acknowledged, drainMs, readyMs: dev.readyMs }
  } finally {
    dev.process.kill('SIGKILL')
  }
}

/** Posts events in the order of their indexes, in small requests, until the server takes no more. */
export class Sender {
  readonly acknowledged: Acknowledged['events'][number][] = []
  readonly #address: string
  readonly #seed: number
  #next: number

  constructor(address: string, { seed, from }: { seed: number; from: number }) {
    this.#address = address
    this.#seed = seed
    this.#next = from
  }

  /** Several may run at once. Resolves when a request was refused or cut off. */
  async run(): Promise<void> {
    while (await this.send(1 + (this.#next % 9))) await sleep(1)
  }

  /** False when they were not acknowledged. */
  async send(count: number): Promise<boolean> {
    const first = this.#next
    this.#next += count
    const events = Array.from({ length: count }, (_, nth) => makeEvent(this.#seed, first + nth))
    const body = Buffer.concat(events.flatMap((event) => [event, Buffer.from('\n')]))
    let response: Response
    let text: string
    try {
      const headers = { 'content-type': 'application/x-ndjson' }
      response = await fetch(`${this.#address}/v1/events/${payments.name}`, { method: 'POST', headers, body })
      text = await response.text()
    } catch {
      // The connection was refused or cut off: nobody knows, so nothing is acknowledged.
      return false
    }
    if (response.status === 503) return false
    assert.ok(response.status === 202 || response.status === 422, `${response.status}: ${text}`)
    const { offsets } = JSON.parse(text) as { offsets: { partition: number; offset: number }[] }
    assert.equal(offsets.length, count)
    offsets.forEach(({ partition, offset }, nth) => this.acknowledged.push([first + nth, partition, offset]))
    return true
  }
}
