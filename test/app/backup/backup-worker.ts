/**
 * Runs millrace on a data folder and sends events until it is killed. Prints how many are acknowledged, one line each
 * time: `acked <count>`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { millrace } from '../../../src/app/mill.ts'
import { eventAt, payments } from '../doctor/data-folder.ts'
import { risk } from '../../upgrade/definitions.ts'

const mill = await millrace({ definitions: [risk], folder: process.argv[2]!, partitions: 3, checkpointMs: 15 })
const perCall = 7
for (let index = 0; ; index += perCall) {
  await mill.ingest(
    payments.name,
    Array.from({ length: perCall }, (_, more) => eventAt(index + more)),
  )
  // Two cores are for those who look on as well.
  await sleep(4)
  process.stdout.write(`acked ${index + perCall}\n`)
}
