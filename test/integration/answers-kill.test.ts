// Goal: whenever the process is killed, each event is scored once and each request is answered once.
// Method: a child process sends, asks, scores and answers, and is killed, again and again; once its store is lost as
// well. Then the folder is opened, and what it wrote is held against the coordinates of what was asked of it.
//
// `SEED=…` gives the same waits; the moments themselves are the machine's. `KILLS=…` lengthens.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Log, LogRecord } from '../../src/log/log.ts'
import { coordinatesIn, headerText } from '../../src/stream/output-headers.ts'
import { openAnswering, partitions } from './answers-worker.ts'
import { makeRandom } from './kill-stream.ts'
import { runAndKill } from './run-and-kill.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const kills = Number(process.env['KILLS'] ?? 4)

test(`scores and answers everything once over ${kills} kills`, { timeout: 300_000 }, async (context) => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-answers-kill-'))
  console.log(`SEED=${seed} replays the waits; the moments of the kills are not replayed`)
  const folder = join(root, 'data')
  const random = makeRandom(seed)
  for (let kill = 0; kill < kills; kill++) {
    if (kill === Math.floor(kills / 2)) await rm(join(folder, 'store'), { recursive: true, force: true })
    await runAndKill('answers-worker.ts', [folder, String(kill)], { rounds: 4, afterMs: random() * 300 })
  }
  const mill = await openAnswering(folder)
  // In this order: closing writes.
  context.after(async () => {
    await mill.close()
    await rm(root, { recursive: true, force: true })
  })
  await mill.caughtUp()
  await mill.engine.checkpoint()
  await mill.answering!.caughtUp()
  const { log } = mill
  const told: string[] = []
  for (const [source, answers] of [
    ['payments', 'predictions'],
    ['inference-requests', 'predictions'],
    ['feature-requests', 'computed-features'],
  ] as const) {
    let total = 0
    for (let partition = 0; partition < partitions; partition++) {
      const asked = Array.from({ length: log.end(source, partition) }, (_, offset) => offset)
      const given = await from(log, { topic: answers, partition }, source)
      assert.deepEqual(
        given.map((one) => coordinatesIn(one).offset),
        asked,
        `${answers}/${partition} of ${source}`,
      )
      if (answers === 'predictions') await assertInputs(log, { source, partition }, given)
      total += asked.length
    }
    assert.ok(total > 50, `${total} of ${source}`)
    told.push(`${total} of ${source}`)
  }
  const letters = new Set<string>()
  for (let partition = 0; partition < partitions; partition++) {
    for (const record of await all(log, { topic: 'dead-letter-queue', partition })) {
      const { topic, offset } = coordinatesIn(record)
      assert.ok(!letters.has(`${topic} ${partition} ${offset}`), 'no dead letter is written twice')
      letters.add(`${topic} ${partition} ${offset}`)
    }
  }
  assert.ok(letters.size > 10)
  console.log(`${kills} kills, 1 store lost; answered ${told.join(', ')}; lost 0, doubled 0`)
})

type Place = { readonly topic: string; readonly partition: number }

async function all(log: Log, { topic, partition }: Place): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for (let offset = 0; offset < log.end(topic, partition); ) {
    const read = await log.read(topic, partition, offset, 4 * 1024 * 1024)
    records.push(...read.records)
    offset = read.next
  }
  return records
}

async function from(log: Log, place: Place, source: string): Promise<LogRecord[]> {
  return (await all(log, place)).filter((record) => headerText(record, 'millrace.topic') === source)
}

/** Each prediction that was served is of the one vector that is kept for it. */
async function assertInputs(
  log: Log,
  { source, partition }: { source: string; partition: number },
  predictions: readonly LogRecord[],
): Promise<void> {
  const inputs = await from(log, { topic: 'model-input', partition }, source)
  const byOffset = new Map(inputs.map((one) => [coordinatesIn(one).offset, one]))
  assert.equal(byOffset.size, inputs.length, 'no vector is written twice')
  for (const record of predictions) {
    const { outcome, prediction, prefix } = parse(record)
    if (outcome !== 'served') continue
    const input = parse(byOffset.get(coordinatesIn(record).offset)!)
    const { count, sum } = input.inputs!
    assert.deepEqual([prediction, prefix], [count! + sum! / 1_000_000, input.prefix])
  }
}

type Told = {
  readonly outcome: string
  readonly prediction: number
  readonly prefix: unknown
  readonly inputs?: Readonly<Record<string, number>>
}

function parse({ value }: LogRecord): Told {
  return JSON.parse(Buffer.from(value!).toString()) as Told
}
