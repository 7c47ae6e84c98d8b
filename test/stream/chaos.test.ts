// Goal: any mixture of sending, checkpoints, crashes, failures and small tables ends in what the log says.
// Method: a seeded walk in memory. The engine runs over the embedded log with reads of a few records; after every
// slice chance may ask for a checkpoint; the process dies or its disk fails at a durable step of chance, the power goes
// with appends under way, or the whole state is lost. In between and at the end everything is held against the naive model of the log.
// `SEED=…` replays, `RUNS=…` lengthens.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeEvent, makeRandom, payments, views } from '../integration/kill-stream.ts'
import { lawOptions } from '../base/law-options.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { type Cut, type CutMode, type Disk, makeDisk, type Process, send, settle, startProcess } from './harness.ts'

const { topic } = payments
const modes: readonly CutMode[] = ['before', 'after', 'fails', 'done and fails']

class Walk {
  readonly #random: () => number
  readonly #seed: number
  readonly #disk: Disk = makeDisk()
  readonly #partitions: number
  /** Next event for each partition. */
  readonly #next: number[]
  counts = { crashes: 0, powerCuts: 0, rebuilds: 0, records: 0 }

  constructor(seed: number) {
    this.#seed = seed
    this.#random = makeRandom(seed)
    this.#partitions = 1 + this.#below(3)
    this.#next = Array.from({ length: this.#partitions }, () => 0)
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count)
  }

  async run(lives: number): Promise<void> {
    for (let life = 0; life < lives; life++) {
      const cut: Cut | null = this.#below(4) === 0 ? null : { at: this.#below(14), mode: modes[this.#below(4)]! }
      const process = await this.#start(cut)
      const powerCut = this.#below(3) === 0
      for (let batch = this.#below(6); batch > 0; batch--) {
        await this.#send(process)
        if (this.#below(3) > 0) await settle(process)
        if (this.#below(3) === 0) await this.#checkpoint(process)
      }
      if (this.#below(3) === 0) await settle(process)
      if (powerCut) await this.#cutPower(process)
      else if (cut === null && this.#below(2) === 0) await process.engine.close()
      else process.steps.die()
      this.counts.crashes += 1
      if (this.#below(10) === 0) {
        this.#disk.store = makeDisk().store
        this.counts.rebuilds += 1
      }
      if (this.#below(4) === 0) await this.#verify()
    }
    await this.#verify()
  }

  /** Of what was not synced the disk keeps any part; what the engine folded was. */
  async #cutPower(process: Process): Promise<void> {
    // Nobody hears of this append: it may be there afterwards or not.
    const sent = this.#send(process)
    for (let turn = this.#below(12); turn > 0; turn--) await Promise.resolve()
    process.steps.die()
    this.#disk.fileSystem = this.#disk.fileSystem.crash(() => this.#below(2) === 0)
    this.counts.powerCuts += 1
    await sent
  }

  async #start(cut: Cut | null): Promise<Process> {
    const often = 1 + this.#below(6)
    const keysMax = [0, 1, 5, 1_000][this.#below(4)]!
    return await startProcess(this.#disk, {
      views,
      partitions: this.#partitions,
      keysMax,
      readMax: 1 + this.#below(9),
      delay: () => this.#below(5),
      ...(cut === null ? {} : { cut }),
      onTurn: (engine) => {
        if (this.#below(often) === 0) void checkpointOf(engine)
      },
    })
  }

  async #checkpoint({ engine, steps }: Process): Promise<void> {
    await Promise.race([steps.reached, checkpointOf(engine)])
  }

  /** Begins before where the last call ended: what a producer sends again that saw no acknowledgement. */
  async #send(process: Process): Promise<void> {
    const partition = this.#below(this.#partitions)
    const first = Math.max(0, this.#next[partition]! - this.#below(8))
    const count = 1 + this.#below(12)
    const events = Array.from({ length: count }, (_, nth) =>
      makeEvent(this.#seed, (first + nth) * this.#partitions + partition),
    )
    this.#next[partition] = first + count
    await send(process, { topic, partition }, events)
  }

  async #verify(): Promise<void> {
    const process = await this.#start(null)
    await process.engine.caughtUp()
    await process.engine.checkpoint()
    const tally = await assertMatchesLog({ ...process, views }, [0, 1, 45_000, 330_000])
    this.counts.records = tally.records
    await process.engine.close()
    await process.log.close()
  }
}

async function checkpointOf(engine: Process['engine']): Promise<void> {
  await engine.checkpoint().catch((error: unknown) => {
    // A fault is looked for at the end: what it left must be whole.
    assert.ok(
      engine.fault !== null || engine.halted.length > 0 || String(error).includes('it was closed'),
      String(error),
    )
  })
}

test('any history of crashes ends in what the log says', async () => {
  const { seed, numRuns } = lawOptions(25)
  const total = { crashes: 0, powerCuts: 0, rebuilds: 0, records: 0 }
  for (let run = 0; run < numRuns; run++) {
    const walk = new Walk(seed + run)
    try {
      await walk.run(8)
    } catch (error) {
      throw new Error(`SEED=${seed + run} RUNS=1 replays this`, { cause: error })
    }
    for (const name of ['crashes', 'powerCuts', 'rebuilds', 'records'] as const) total[name] += walk.counts[name]
  }
  console.log(JSON.stringify(total))
  assert.ok(numRuns < 20 || (total.rebuilds > 0 && total.powerCuts > 0 && total.records > 500), JSON.stringify(total))
})
