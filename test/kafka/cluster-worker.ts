/**
 * A process of a cluster, for tests: opened with what its first argument says, asked by messages. It is killed, never
 * asked to end.
 */
import process from 'node:process'
import { systemClock } from '../../src/base/clock.ts'
import { onCrashPoint } from '../../src/base/crash-points.ts'
import { type ClusterOptions, kafka, millrace } from '../../src/index.ts'
import type { ClusterEngine } from '../../src/stream/cluster/cluster-engine.ts'
import { views } from '../integration/kill-stream.ts'
import { emittingViews } from '../stream/emitting.ts'

export type WorkerOptions = {
  readonly brokers: string
  readonly folder: string
  readonly cluster: ClusterOptions
  /** With views that emit a value per event, under a namespace of their own. */
  readonly emits?: boolean
}

const { brokers, folder, cluster, emits = false } = JSON.parse(process.argv[2]!) as WorkerOptions
const log = kafka(brokers, { replication: 1, ...(emits ? { namespace: 'emits' } : {}) })
const definitions = emits ? [emittingViews.spendingPerEvent, emittingViews.riskPerEvent] : views
const mill = await millrace({ folder, definitions, log, cluster, partitions: 2, checkpointMs: 100 })
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
  if (question === 'die') {
    // Between what goes out and the checkpoint that covers it: whoever comes next finds it there.
    onCrashPoint((name) => {
      if (name === 'engine.outputs.flushed') process.kill(process.pid, 'SIGKILL')
    })
  }
  if (question === 'caught up') {
    await mill.caughtUp()
    await mill.engine.checkpoint()
    // What is on its way to the store of a fold is there too.
    await systemClock.sleep(1)
  }
  const { owned } = mill.engine as ClusterEngine
  return { counts: mill.counts, owned: owned.length, halted: mill.engine.halted.map(({ fault }) => fault.message) }
}
