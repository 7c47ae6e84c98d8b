/**
 * A process of a cluster, for tests: opened with what its first argument says, asked by messages. It is killed, never
 * asked to end.
 */
import process from 'node:process'
import { systemClock } from '../../src/base/clock.ts'
import { type ClusterOptions, kafka, millrace } from '../../src/index.ts'
import type { ClusterEngine } from '../../src/stream/cluster/cluster-engine.ts'
import { views } from '../integration/kill-stream.ts'

export type WorkerOptions = { readonly brokers: string; readonly folder: string; readonly cluster: ClusterOptions }

const { brokers, folder, cluster } = JSON.parse(process.argv[2]!) as WorkerOptions
const log = kafka(brokers, { replication: 1 })
const mill = await millrace({ folder, definitions: views, log, cluster, partitions: 2, checkpointMs: 100 })
process.send!({ ready: true })
process.on('message', (question) => {
  void answer(question as string).then(
    (given) => process.send!({ given }),
    (error: unknown) => process.send!({ fault: String(error) }),
  )
})
// Without whoever asks, nobody needs it.
process.on('disconnect', () => process.exit(1))

async function answer(question: string): Promise<unknown> {
  if (question === 'caught up') {
    await mill.caughtUp()
    await mill.engine.checkpoint()
    // What is on its way to the store of a fold is there too.
    await systemClock.sleep(1)
  }
  const { owned } = mill.engine as ClusterEngine
  return { counts: mill.counts, owned: owned.length, halted: mill.engine.halted.map(({ fault }) => fault.message) }
}
