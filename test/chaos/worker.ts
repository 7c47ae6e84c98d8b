/**
 * Runs millrace on a data folder and sends events until it is killed, or a fault stops it. What it prints is all that
 * its parent knows of it; a line is one write to a pipe, so it arrives whole or not at all.
 *
 *     started <pid> · ready · caught-up <records taken again> · acked <index of the first event> <partition:offset>,…
 *     noted <records of the other topic> · applied <variant> · forgot <times> · failed <code> · closed
 */
import { flushCompileCache } from 'node:module'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Mill, millrace } from '../../src/app/mill.ts'
import { MillraceError } from '../../src/base/faults.ts'
import { makeEvent, makeRandom, payments, views } from '../integration/kill-stream.ts'
import { notesTopic } from './notes-topic.ts'
import { type Variant, variants } from './variants.ts'

export type WorkerOptions = {
  readonly folder: string
  readonly seed: number
  /** Differs from run to run: sizes of batches. */
  readonly run: number
  /** Events `[from, to)` are sent. */
  readonly from: number
  readonly to: number
  readonly checkpointMs: number
  readonly keysMax: number
  readonly partitions: number
  /** The definitions that it is started with. */
  readonly variant: Variant
  /** Goes from one variant to the other, and forgets entities, all the time. */
  readonly changes: boolean
  /** Closes in peace after so long at work. */
  readonly closeAfterMs: number | null
}

/** Calls of `ingest` under way at once. */
const depth = 3

const noteBytes = 1_500

async function main(options: WorkerOptions): Promise<void> {
  flushCompileCache()
  say(`started ${process.pid}`)
  const { folder, checkpointMs, keysMax, partitions, closeAfterMs } = options
  let taken = 0
  const observer = {
    batch: (_: string, { records }: { records: number }) => {
      taken += records
    },
    checkpoint: () => undefined,
  }
  const definitions = variants[options.variant]
  const mill = await millrace({
    definitions,
    allowIncompatible: true,
    folder,
    checkpointMs,
    keysMax,
    partitions,
    observer,
  })
  const stop = new AbortController()
  try {
    mill.read(views[0].name, { customerId: 1 })
    say('ready')
    await mill.caughtUp()
    say(`caught-up ${taken}`)
    const work = [sendAll(mill, options, stop.signal), takeNotes(mill, stop.signal), watch(mill, stop.signal)]
    if (options.changes) work.push(change(mill, options, stop.signal))
    if (closeAfterMs === null) await Promise.all(work)
    else {
      await Promise.race([Promise.all(work), sleep(closeAfterMs)])
      stop.abort()
      await Promise.all(work)
      await mill.caughtUp()
    }
  } finally {
    stop.abort()
    await mill.close()
  }
  say('closed')
}

/** Rejects when the engine stops by a fault. */
async function watch(mill: Mill, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(20)
    if (mill.engine.fault !== null) throw mill.engine.fault
    mill.read(views[0].name, { customerId: 1 })
  }
}

async function sendAll(mill: Mill, { seed, run, from, to }: WorkerOptions, signal: AbortSignal): Promise<void> {
  const random = makeRandom(seed + run * 7919)
  let acknowledged = Promise.resolve()
  const underWay: Promise<void>[] = []
  for (let next = from; next < to && !signal.aborted; ) {
    const first = next
    const count = Math.min(to - first, 1 + Math.floor(random() * 12))
    next += count
    const events = Array.from({ length: count }, (_, nth) => makeEvent(seed, first + nth))
    const ingested = mill.ingest(payments.name, events)
    // In order, so that the last line says up to where everything is acknowledged.
    const before = acknowledged
    acknowledged = (async () => {
      const places = await ingested
      await before
      say(`acked ${first} ${places.map(({ partition, offset }) => `${partition}:${offset}`).join(',')}`)
    })()
    // The first rejection ends the loop or the last line; those that follow it are of the same cause.
    acknowledged.catch(() => undefined)
    underWay.push(acknowledged)
    if (underWay.length >= depth) await underWay.shift()
    // So that the events last for many lives.
    await sleep(2 + random() * 10)
  }
  await acknowledged
}

/** Applies the other definitions, forgets a customer, and so on. */
async function change(mill: Mill, { seed, run, variant }: WorkerOptions, signal: AbortSignal): Promise<void> {
  const random = makeRandom(seed + run * 6007)
  let current = variant
  for (let times = 0; !signal.aborted; times++) {
    await sleep(10 + random() * 60)
    if (random() < 0.5) {
      await mill.forget('customer', { customerId: Math.floor(random() * 30) })
      say('forgot')
    } else {
      current = ({ a: 'b', b: 'c', c: 'a' } as const)[current]
      await mill.versions.apply(variants[current], { allowIncompatible: true })
      await mill.caughtUp()
      say(`applied ${current}`)
    }
  }
}

/** Appends records that say their own offset. */
async function takeNotes({ log }: Mill, signal: AbortSignal): Promise<void> {
  if (!log.topics().some(({ topic }) => topic === notesTopic)) {
    await log.createTopic(notesTopic, { partitions: 1, retentionMs: 1_000 })
  }
  while (!signal.aborted) {
    const value = Buffer.alloc(noteBytes, `${log.end(notesTopic, 0)} `)
    const offset = await log.append(notesTopic, 0, [{ key: null, value, timestampMs: 0 }])
    say(`noted ${offset + 1}`)
    await sleep(4)
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

try {
  await main(JSON.parse(process.argv[2]!) as WorkerOptions)
} catch (error) {
  if (!(error instanceof MillraceError)) throw error
  say(`failed ${error.code}`)
  process.exitCode = 1
}
