/**
 * Opens what a process left behind (a copy of it) and holds it against the naive model of its own raw log, and against
 * what was acknowledged; closes it in peace, and does so again: then nothing may be taken a second time.
 *
 *     node verify.ts '{"folder": …}'   prints a tally as JSON
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { type Mill, millrace } from '../../src/app/mill.ts'
import { forgottenTopic } from '../../src/plan/forgotten.ts'
import { makeEvent, payments } from '../integration/kill-stream.ts'
import { assertMatchesLog, readPartition, type Tally } from '../oracle/matches-log.ts'
import { notesTopic } from './notes-topic.ts'
import { type Variant, variants } from './variants.ts'

export type VerifyOptions = {
  readonly folder: string
  readonly seed: number
  readonly partitions: number
  /** Its processes went from one variant of the definitions to the other. */
  readonly changes: boolean
  /** A file with `Acknowledged` as JSON. */
  readonly acknowledged: string
}

export type Acknowledged = {
  /** Index of an event, partition, offset. */
  readonly events: readonly (readonly [index: number, partition: number, offset: number])[]
  readonly notes: number
  /** How many entities were forgotten. */
  readonly forgot: number
}

async function verify({ folder, seed, partitions, acknowledged, changes }: VerifyOptions): Promise<Tally> {
  const promised = JSON.parse(readFileSync(acknowledged, 'utf8')) as Acknowledged
  const first = await openAndCompare(changes)
  // Closed in peace this time: the last checkpoint must say the same, and nothing is left to be taken.
  const second = await openAndCompare(false)
  assert.equal(second.taken, 0, 'after a clean end, records were taken again')
  return first.tally

  async function openAndCompare(variantsToo: boolean): Promise<{ tally: Tally; taken: number }> {
    let taken = 0
    const observer = {
      batch: (_: string, { records }: { records: number }) => {
        taken += records
      },
      checkpoint: () => undefined,
    }
    const mill = await millrace({ definitions: variants.a, allowIncompatible: true, folder, partitions, observer })
    try {
      await mill.caughtUp()
      // Dead letters and late events are written with the checkpoint that covers them.
      await mill.engine.checkpoint()
      const tally = await compare(mill, 'a')
      if (variantsToo) {
        for (const variant of ['b', 'c', 'a'] as const) {
          await mill.versions.apply(variants[variant], { allowIncompatible: true })
          await mill.caughtUp()
          await compare(mill, variant)
        }
      }
      await assertAcknowledged(mill)
      return { tally, taken }
    } finally {
      await mill.close()
    }
  }

  async function compare({ plan, log, engine }: Mill, variant: Variant): Promise<Tally> {
    return await assertMatchesLog({ plan, log, engine, views: variants[variant] }, [0, 1, 30_000, 240_000, 400_000])
  }

  /** Everything acknowledged lies in the log, where it was said to lie, byte for byte. */
  async function assertAcknowledged({ log }: Mill): Promise<void> {
    const values: (Uint8Array | null)[][] = []
    for (let partition = 0; partition < partitions; partition++) {
      values.push((await readPartition(log, payments.topic, partition)).map(({ value }) => value))
    }
    for (const [index, partition, offset] of promised.events) {
      const value = values[partition]![offset]
      assert.ok(value !== undefined && value !== null, `event ${index} was acknowledged and is not in the log`)
      assert.equal(Buffer.compare(value, makeEvent(seed, index)), 0, `event ${index} is in the log with other bytes`)
    }
    const forgotten = log.topics().some(({ topic }) => topic === forgottenTopic) ? log.end(forgottenTopic, 0) : 0
    assert.ok(forgotten >= promised.forgot, 'an entity was forgotten, and the log does not know')
    if (!log.topics().some(({ topic }) => topic === notesTopic)) return assert.equal(promised.notes, 0)
    assert.ok(log.end(notesTopic, 0) >= promised.notes, 'a note was acknowledged and is not in the log')
    for (const { offset, value } of await readPartition(log, notesTopic, 0)) {
      assert.equal(Number.parseInt(Buffer.from(value!).toString(), 10), offset, `note ${offset} is another one`)
    }
  }
}

process.stdout.write(JSON.stringify(await verify(JSON.parse(process.argv[2]!) as VerifyOptions)))
