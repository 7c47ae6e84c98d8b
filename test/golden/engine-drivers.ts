import assert from 'node:assert/strict'
import type { Plan } from '../../src/plan/plan.ts'
import type { Engine } from '../../src/stream/engine.ts'
import { makeDisk, type Process, type ProcessOptions, startProcess } from '../stream/harness.ts'
import type { Driver, GoldenRecord } from './drivers.ts'
import { readOrFault } from './drivers.ts'

/** Reads one record at a time, so that the counters tell the verdict on each. */
class Verdicts {
  readonly #found = new Map<string, string>()
  #before: Engine['counts'] | null = null

  /** The counters of a process as it was opened. */
  begin(engine: Engine): void {
    this.#before = engine.counts
  }

  note(engine: Engine): void {
    const now = engine.counts
    for (const source of now.sources) {
      const before = this.#before?.sources.find((one) => one.partition === source.partition)
      if (before === undefined || before.records === source.records) continue
      assert.equal(source.records, before.records + 1, 'one record at a time')
      const verdict = (['accepted', 'duplicate', 'late', 'refused'] as const).find((one) => source[one] > before[one])!
      const place = `${source.partition}/${source.next - 1}`
      // Judged again after a restart, a record gets the same verdict.
      assert.equal(this.#found.get(place) ?? verdict, verdict, place)
      this.#found.set(place, verdict)
    }
    this.#before = now
  }

  of(records: readonly GoldenRecord[]): string[] {
    return records.map(({ partition, offset }) => this.#found.get(`${partition}/${offset}`) ?? 'not judged')
  }
}

type Way = {
  /** Records sent before the engine is waited for. */
  readonly batch: number
  readonly keysMax: number
  /** What comes after each batch. */
  after(process: Process, batch: number): Promise<'goes on' | 'dies' | 'closed'>
}

function throughEngine(name: string, way: Way): Driver {
  return {
    name,
    readsAnyInstant: false,
    async run(plan, records) {
      const disk = makeDisk()
      const verdicts = new Verdicts()
      const start = () => open(plan, { keysMax: way.keysMax, records, disk, verdicts })
      let process = await start()
      for (let from = 0; from < records.length; from += way.batch) {
        await sendAll(process, records.slice(from, from + way.batch))
        await process.engine.caughtUp()
        verdicts.note(process.engine)
        const end = await way.after(process, from / way.batch)
        if (end === 'goes on') continue
        if (end === 'dies') process.steps.die()
        process = await start()
      }
      const { engine } = process
      await engine.caughtUp()
      verdicts.note(engine)
      return {
        verdicts: verdicts.of(records),
        read: (view, { key, t }) => readOrFault(view, engine.state(view, key), t),
      }
    },
  }
}

type OpenOptions = Pick<ProcessOptions, 'keysMax'> & {
  readonly records: readonly GoldenRecord[]
  readonly disk: ReturnType<typeof makeDisk>
  readonly verdicts: Verdicts
}

async function open(plan: Plan, { keysMax = 0, records, disk, verdicts }: OpenOptions): Promise<Process> {
  const partitions = Math.max(...records.map(({ partition }) => partition)) + 1
  return await startProcess(disk, {
    plan,
    partitions,
    keysMax,
    readMax: 1,
    onOpen: (engine) => verdicts.begin(engine),
    onTurn: (engine) => verdicts.note(engine),
  })
}

async function sendAll({ log, plan }: Process, records: readonly GoldenRecord[]): Promise<void> {
  await Promise.all(
    records.map(async ({ partition, offset, timestampMs, value }) => {
      const placed = await log.append(plan.streams[0]!.topic, partition, [{ key: null, value, timestampMs }])
      assert.equal(placed, offset)
    }),
  )
}

export const engineDrivers: readonly Driver[] = [
  throughEngine('through the engine', {
    batch: Number.POSITIVE_INFINITY,
    keysMax: 1_000,
    after: () => Promise.resolve('goes on'),
  }),
  throughEngine('through the engine, a checkpoint and no key in memory after every 3 records', {
    batch: 3,
    keysMax: 0,
    async after({ engine }) {
      await engine.checkpoint()
      return 'goes on'
    },
  }),
  throughEngine('through the engine, killed after every 2 records, some of them after a checkpoint', {
    batch: 2,
    keysMax: 1_000,
    async after({ engine }, batch) {
      if (batch % 2 === 0) await engine.checkpoint()
      return 'dies'
    },
  }),
  throughEngine('through the engine, closed and opened after every record', {
    batch: 1,
    keysMax: 1_000,
    async after({ engine, log }) {
      await engine.close()
      await log.close()
      return 'closed'
    },
  }),
]
