/**
 * Runs millrace with views that emit on a data folder, and sends events until it is killed. Begins where the log ends:
 * what its parent wants to know lies in the folder.
 */
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { millrace } from '../../src/app/mill.ts'
import { emittingList } from '../stream/emitting.ts'
import { makeEvent, payments } from './kill-stream.ts'
import { roundDone } from './run-and-kill.ts'

const { folder, partitions, seed } = JSON.parse(process.argv[2]!) as {
  folder: string
  partitions: number
  seed: number
}

const mill = await millrace({ definitions: emittingList, folder, partitions, checkpointMs: 5 })
let next = 0
for (let partition = 0; partition < partitions; partition++) next += mill.log.end(payments.topic, partition)
for (;;) {
  const events = Array.from({ length: 8 }, () => makeEvent(seed, next++))
  await mill.ingest(payments.name, events)
  process.stdout.write(roundDone)
  await sleep(2)
}
