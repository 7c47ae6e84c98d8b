// Goal: whenever the process is killed, nothing acknowledged is lost and nothing counts twice.
// Method: a child process runs millrace on a data folder and sends events without end: disordered, late, doubled,
// malformed. It is killed at random moments: while it starts, while it recovers, while it works with a checkpoint
// every few milliseconds. Now and then the state is deleted as well, and is rebuilt under further kills. The next
// child begins some events before the last acknowledged one, as a producer does that does not know what arrived.
// Now and then, and at the end, a copy of the folder is opened and held against the naive model of its own raw log.
//
// `SEED=…` gives the same events, batches and choice of moments; the moments themselves are the machine's.
// `KILLS=…` lengthens.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Mill, millrace } from '../../src/app/mill.ts'
import { assertMatchesLog, readPartition, type Tally } from '../oracle/matches-log.ts'
import { makeEvent, makeRandom, payments, views } from './kill-stream.ts'
import type { KillWorkerOptions } from './kill-worker.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const kills = Number(process.env['KILLS'] ?? 32)
/** How many runs lie between two comparisons with the model. */
const checkEvery = 12
const eventsMax = 12_000
const partitions = 3
/** How many acknowledged events the next child sends again. */
const overlapMax = 120

type Acknowledged = { readonly index: number; readonly partition: number; readonly offset: number }

/** What a child said before it died. */
type Run = {
  readonly acknowledged: readonly Acknowledged[]
  readonly readyMs: number | null
  readonly caughtUpMs: number | null
  readonly done: boolean
}

type Moment = 'starting' | 'recovering' | 'working'

test(`loses nothing and doubles nothing over ${kills} kills`, { timeout: 300_000 }, async (context) => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-kill-'))
  context.after(() => rm(root, { recursive: true, force: true }))
  console.log(`SEED=${seed} replays the events and choices; the moments of the kills are not replayed`)
  const folder = join(root, 'data')
  const random = makeRandom(seed)
  const acknowledged = new Map<number, Acknowledged[]>()
  const moments = { starting: 0, recovering: 0, working: 0 }
  const recoveriesMs: number[] = []
  let [next, rebuilds] = [0, 0]
  for (let run = 0; run < kills; run++) {
    const moment = pick<Moment>(random(), ['starting', 'recovering', 'working', 'working', 'working'])
    const checkpointMs = pick(random(), [5, 10, 20])
    const keysMax = pick(random(), [0, 8, 100_000])
    if (run > 0 && random() < 0.15) {
      await rm(join(folder, 'store'), { recursive: true, force: true })
      rebuilds += 1
    }
    const from = Math.max(0, next - Math.floor(random() * overlapMax))
    const options = { folder, seed, run, from, to: eventsMax, checkpointMs, keysMax, partitions }
    const outcome = await runAndKill(options, moment, random())
    moments[moment] += 1
    if (outcome.caughtUpMs !== null) recoveriesMs.push(outcome.caughtUpMs)
    for (const place of outcome.acknowledged) {
      const places = acknowledged.get(place.index) ?? []
      acknowledged.set(place.index, places)
      places.push(place)
      next = Math.max(next, place.index + 1)
    }
    if (run % checkEvery === checkEvery - 1 && run < kills - 1)
      await checkCopy(folder, join(root, `copy-${run}`), acknowledged)
  }
  const tally = await checkCopy(folder, folder, acknowledged)
  // Closed in peace this time: the last checkpoint must say the same.
  await checkCopy(folder, folder, acknowledged)
  assert.ok(tally.deadLetters > 0 && tally.late > 0 && tally.keys > 20, 'the events are a mixture')
  const sorted = recoveriesMs.sort((a, b) => a - b)
  console.log(
    `${kills} kills (${moments.starting} starting, ${moments.recovering} recovering, ${moments.working} working), ` +
      `${rebuilds} rebuilds; ${acknowledged.size} events acknowledged, ${tally.records} records, ` +
      `${tally.deadLetters} dead letters, ${tally.late} late, ${tally.values} values of ${tally.keys} keys; ` +
      `lost 0, doubled 0; recovery p50 ${sorted[sorted.length >>> 1]} ms, max ${sorted.at(-1)} ms`,
  )
})

/** Runs a child, and kills it at a moment of the kind asked for; `when` in [0, 1) picks it. */
async function runAndKill(options: KillWorkerOptions, moment: Moment, when: number): Promise<Run> {
  const child = spawn(process.execPath, [...process.execArgv, workerFile, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'millrace-kill-compiled'), NODE_TEST_CONTEXT: '' },
  })
  const acknowledged: Acknowledged[] = []
  const run = { acknowledged, readyMs: null as number | null, caughtUpMs: null as number | null, done: false }
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const killed = killAt(child, { moment, when })
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    killed.onLine(line)
    const [what, first = '', places = ''] = line.split(' ')
    if (what === 'ready') run.readyMs = Number(first)
    if (what === 'caught-up') run.caughtUpMs = Number(first)
    if (what === 'done') run.done = true
    if (what !== 'acked') return
    places.split(',').forEach((place, nth) => {
      const [partition, offset] = place.split(':').map(Number) as [number, number]
      acknowledged.push({ index: Number(first) + nth, partition, offset })
    })
  })
  const [[code, signal]] = (await Promise.all([once(child, 'exit'), once(lines, 'close')])) as [
    [number, string],
    unknown,
  ]
  assert.deepEqual({ code, signal }, { code: null, signal: 'SIGKILL' }, `the child ended by itself: ${complaint}`)
  return run
}

const workerFile = join(import.meta.dirname, 'kill-worker.ts')

/** Longer than a child that is stuck would ever need. */
const stuckMs = 30_000

function killAt(
  child: ChildProcess,
  { moment, when }: { moment: Moment; when: number },
): { onLine(line: string): void } {
  const ended = new AbortController()
  child.once('exit', () => ended.abort())
  const killIn = async (ms: number): Promise<void> => {
    await sleep(ms, null, { signal: ended.signal }).catch(() => {
      // Another moment came first.
    })
    child.kill('SIGKILL')
  }
  void killIn(moment === 'starting' ? 20 + when * 500 : stuckMs)
  return {
    onLine(line) {
      if (moment === 'recovering' && line === 'opening') void killIn(when * 120)
      if (moment === 'working' && line.startsWith('caught-up')) void killIn(when * 350)
    },
  }
}

/** Opens what a kill left (a copy, so that it goes on being what a kill left) and compares it with the model. */
async function checkCopy(
  folder: string,
  copy: string,
  acknowledged: ReadonlyMap<number, readonly Acknowledged[]>,
): Promise<Tally> {
  if (copy !== folder) await cp(folder, copy, { recursive: true })
  const mill = await millrace({ definitions: views, folder: copy, partitions })
  try {
    await mill.caughtUp()
    // Dead letters and late events are written with the checkpoint that covers them.
    await mill.engine.checkpoint()
    const { plan, log, engine } = mill
    const tally = await assertMatchesLog({ plan, log, engine, views }, [0, 1, 30_000, 240_000, 400_000])
    await assertAcknowledged(mill, acknowledged)
    return tally
  } finally {
    await mill.close()
  }
}

/** Every acknowledged event lies in the log, where it was said to lie, byte for byte. */
async function assertAcknowledged(
  mill: Mill,
  acknowledged: ReadonlyMap<number, readonly Acknowledged[]>,
): Promise<void> {
  const records: (Uint8Array | null)[][] = []
  for (let partition = 0; partition < partitions; partition++) {
    records.push((await readPartition(mill.log, payments.topic, partition)).map(({ value }) => value))
  }
  for (const [index, places] of acknowledged) {
    const event = makeEvent(seed, index)
    for (const { partition, offset } of places) {
      const value = records[partition]![offset]
      assert.ok(value !== undefined && value !== null, `event ${index} was acknowledged and is not in the log`)
      assert.equal(Buffer.compare(value, event), 0, `event ${index} is in the log with other bytes`)
    }
  }
}

function pick<T>(at: number, from: readonly T[]): T {
  return from[Math.floor(at * from.length)]!
}
