/**
 * Runs millrace on a data folder and sends events until it is killed. What it prints is all that its parent knows of
 * it; a line is one write to a pipe, so it arrives whole or not at all.
 *
 *     opening · ready <ms> · caught-up <ms> · acked <index of the first event> <partition:offset>,… · done
 */
import process from 'node:process'
import { flushCompileCache } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { millrace, type Mill } from '../../src/app/mill.ts'
import { makeEvent, makeRandom, payments, views } from './kill-stream.ts'

export type KillWorkerOptions = {
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
}

/** Calls of `ingest` under way at once. */
const depth = 3

async function main(options: KillWorkerOptions): Promise<void> {
  flushCompileCache()
  say('opening')
  const openingAt = performance.now()
  const { folder, checkpointMs, keysMax, partitions } = options
  const mill = await millrace({ definitions: views, folder, checkpointMs, keysMax, partitions })
  say(`ready ${(performance.now() - openingAt).toFixed(1)}`)
  await mill.caughtUp()
  say(`caught-up ${(performance.now() - openingAt).toFixed(1)}`)
  await sendAll(mill, options)
  await mill.caughtUp()
  say('done')
  // Checkpoints go on; only a kill ends this.
  await sleep(600_000)
}

async function sendAll(mill: Mill, { seed, run, from, to }: KillWorkerOptions): Promise<void> {
  const random = makeRandom(seed + run * 7919)
  let acknowledged = Promise.resolve()
  const underWay: Promise<void>[] = []
  for (let next = from; next < to; ) {
    const first = next
    const count = Math.min(to - first, 1 + Math.floor(random() * 40))
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
    underWay.push(acknowledged)
    if (underWay.length >= depth) await underWay.shift()
    // So that the events last for many kills.
    await sleep(random() * 6)
  }
  await acknowledged
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

await main(JSON.parse(process.argv[2]!) as KillWorkerOptions)
