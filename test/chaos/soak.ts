/**
 * One `millrace dev` under mixed load for a long time, restarted by kill -9 and SIGTERM in its first third and left
 * alone after it. Samples memory, open files, folder and lag; ends with the comparison against the naive model.
 *
 *     npm run soak -- --minutes 60 [--rate 100] [--seed S] [--out test/chaos/results/soak]
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { chartsSvg, type LineChart } from '../../bench/plot.ts'
import { millrace } from '../../src/app/mill.ts'
import { makeRandom } from '../integration/kill-stream.ts'
import { assertMatchesLog, type Tally } from '../oracle/matches-log.ts'
import { type Dev, startDev } from './drain-dev.ts'
import { percentile } from './campaign.ts'
import { slope } from './slope.ts'
import { noFaults } from './process-faults.ts'
import { circumstances } from './record.ts'
import { Archive } from './soak-archive.ts'
import { payments, risk, scoring, spending } from './soak-definitions.ts'
import { SoakLoad } from './soak-load.ts'
import type { SoakRecord, SoakSample } from './soak-record.ts'

const partitions = 8
/**
 * Per half of V8's young generation. By itself V8 doubles it now and then for hours, up to 64 MB, as long as anything
 * survives in it: memory that says nothing about the program.
 */
const nodeOptions = ['--max-semi-space-size=16']

class Soak {
  readonly #root = mkdtempSync(join(tmpdir(), 'millrace-soak-'))
  readonly #folder = join(this.#root, 'data')
  readonly #seed: number
  readonly #minutes: number
  readonly #startedAt = performance.now()
  readonly #archive = new Archive(this.#folder, payments.topic)
  readonly #load: SoakLoad
  readonly #samples: SoakSample[] = []
  readonly #restartMs: number[] = []
  readonly #restarts = { kill: 0, sigterm: 0 }
  #dev!: Dev
  #life = 0

  constructor(seed: number, minutes: number) {
    this.#seed = seed
    this.#minutes = minutes
    this.#load = new SoakLoad(this.#folder, seed)
  }

  async run(rate: number, command: string): Promise<SoakRecord> {
    await this.#start()
    try {
      const load = this.#load.run(rate)
      await Promise.all([load, this.#supervise().finally(() => this.#load.stop())])
      this.#dev.process.kill('SIGTERM')
      assert.equal((await this.#dev.ended).code, 0)
    } finally {
      this.#load.stop()
      this.#dev.process.kill('SIGKILL')
    }
    const compared = await this.#compare()
    rmSync(this.#root, { recursive: true })
    return {
      kind: 'soak',
      ...circumstances(command),
      minutes: this.#minutes,
      seed: this.#seed,
      restarts: this.#restarts,
      load: this.#load.counts,
      records: this.#archive.records,
      removed: this.#archive.removed,
      compared,
      lost: 0,
      doubled: 0,
      restartMs: this.#restartMs.map((ms) => Math.round(ms)).sort((a, b) => a - b),
      steady: this.#steady(),
      samples: this.#samples,
    }
  }

  get #seconds(): number {
    return (performance.now() - this.#startedAt) / 1_000
  }

  async #start(): Promise<void> {
    this.#life += 1
    const samples = { file: join(this.#root, `heap-${this.#life}`), everyMs: 1_000 }
    const faults = { ...noFaults, segmentBytes: 64 * 1024, samples }
    const definitions = join(import.meta.dirname, 'soak-definitions.ts')
    this.#dev = await startDev({ folder: this.#folder, partitions, faults, definitions, nodeOptions })
    this.#restartMs.push(this.#dev.readyMs)
    this.#load.address = this.#dev.address
  }

  /** Restarts in the first third, samples and archives throughout. */
  async #supervise(): Promise<void> {
    const random = makeRandom(this.#seed)
    const totalSeconds = this.#minutes * 60
    const betweenSeconds = Math.min(240, totalSeconds / 10)
    const everySeconds = Math.max(1, Math.min(5, totalSeconds / 120))
    let restartAt = betweenSeconds
    let archiveAt = 0
    while (this.#seconds < totalSeconds) {
      await sleep(everySeconds * 1_000)
      assert.equal(this.#dev.process.exitCode, null, 'the process ended by itself')
      await this.#sample()
      if (this.#seconds >= archiveAt) {
        await this.#archive.follow()
        archiveAt = this.#seconds + 10
      }
      if (this.#seconds < restartAt || this.#seconds > totalSeconds / 3) continue
      restartAt = this.#seconds + betweenSeconds * (0.5 + random())
      await this.#restart(random() < 0.5)
    }
  }

  async #restart(kill: boolean): Promise<void> {
    this.#restarts[kill ? 'kill' : 'sigterm'] += 1
    this.#dev.process.kill(kill ? 'SIGKILL' : 'SIGTERM')
    const { code, signal, stderr } = await this.#dev.ended
    this.#load.address = null
    assert.deepEqual({ code, signal }, kill ? { code: null, signal: 'SIGKILL' } : { code: 0, signal: null }, stderr)
    await this.#archive.follow()
    await this.#start()
  }

  async #sample(): Promise<void> {
    const { pid } = this.#dev.process
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const metrics = await (await fetch(`${this.#dev.address}/metrics`)).text()
    const lag = [...metrics.matchAll(/^kafka_consumer_lag\{.*\} (\S+)$/gm)].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    )
    this.#samples.push({
      seconds: Math.round(this.#seconds),
      life: this.#life,
      rssMb: Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 102.4) / 10,
      heapMb: this.#heapMb(),
      files: readdirSync(`/proc/${pid}/fd`).length,
      folderMb: Math.round(folderBytes(this.#folder) / 2 ** 20),
      lag,
    })
  }

  /** The least that the heap held in the last ten seconds: what lies between two collections is no matter. */
  #heapMb(): number | null {
    const file = join(this.#root, `heap-${this.#life}`)
    if (!existsSync(file)) return null
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10)
    const least = Math.min(...lines.map((line) => (JSON.parse(line) as { heapUsed: number }).heapUsed))
    return Math.round((least / 2 ** 20) * 10) / 10
  }

  #steady(): SoakRecord['steady'] {
    const own = this.#samples.filter(({ life }) => life === this.#life)
    const [first, last] = [own[0]!.seconds, own.at(-1)!.seconds]
    const warm = own.filter(({ seconds }) => seconds >= first + (last - first) * 0.4)
    const perHour = (of: (sample: SoakSample) => number): number =>
      Math.round(slope(warm.map((sample) => [sample.seconds / 3_600, of(sample)])) * 100) / 100
    return {
      minutes: Math.round((last - warm[0]!.seconds) / 6) / 10,
      rssMbPerHour: perHour(({ rssMb }) => rssMb),
      heapMbPerHour: perHour(({ heapMb }) => heapMb ?? 0),
      filesPerHour: perHour(({ files }) => files),
      lagMax: Math.max(...warm.map(({ lag }) => lag)),
    }
  }

  async #compare(): Promise<Tally> {
    await this.#archive.follow()
    let taken = 0
    const observer = {
      batch: (_: string, { records }: { records: number }) => {
        taken += records
      },
    }
    const mill = await millrace({ definitions: [scoring], folder: this.#folder, partitions, observer })
    try {
      await mill.caughtUp()
      assert.equal(taken, 0, 'after a clean end, records were taken again')
      await mill.engine.checkpoint()
      for (const [partition, offset, event] of this.#load.acknowledged) {
        const value = this.#archive.at(partition, offset)?.value
        const isThere = value instanceof Uint8Array && Buffer.compare(value, event) === 0
        assert.ok(isThere, `${partition}@${offset} was acknowledged and is not in the log`)
      }
      const { plan, log, engine } = mill
      const views = [spending, risk]
      console.log('the load has ended; comparing with the naive model')
      return await assertMatchesLog({ plan, log: this.#archive.over(log), engine, views }, [0, 3_000])
    } finally {
      await mill.close()
    }
  }
}

function folderBytes(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    // Retention may have removed it meanwhile.
    bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

function plot({ samples }: SoakRecord): string {
  const points = (of: (sample: SoakSample) => number | null) =>
    samples.flatMap((sample) => {
      const value = of(sample)
      return value === null ? [] : [[sample.seconds / 60, value] as const]
    })
  const chart = (y: string, lines: Readonly<Record<string, Parameters<typeof points>[0]>>): LineChart => ({
    kind: 'lines',
    title: y,
    x: { title: 'minutes', scale: 'linear' },
    y: { title: y, scale: 'linear' },
    lines: Object.entries(lines).map(([name, of]) => ({ name, role: 'ours', points: points(of) })),
  })
  return chartsSvg([
    chart('memory, MB', { resident: ({ rssMb }) => rssMb, heap: ({ heapMb }) => heapMb }),
    chart('open files', { files: ({ files }) => files }),
    chart('data folder, MB', { folder: ({ folderMb }) => folderMb }),
  ])
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    rate: { type: 'string', default: '100' },
    seed: { type: 'string' },
    out: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const command = `npm run soak -- --minutes ${values.minutes} --rate ${values.rate} --seed ${seed}`
console.log(command)
const record = await new Soak(seed, Number(values.minutes)).run(Number(values.rate), command)
const { samples: _, ...summary } = record
console.log(
  JSON.stringify({ ...summary, restartMs: [percentile(record.restartMs, 0.5), record.restartMs.at(-1)] }, null, 2),
)
if (values.out !== undefined) {
  writeFileSync(`${values.out}.json`, `${JSON.stringify(record)}\n`)
  writeFileSync(`${values.out}.svg`, plot(record))
}
process.exitCode = 0
