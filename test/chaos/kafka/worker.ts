/**
 * A process of the cluster under test: opened with what its first argument says, asked by messages, ended by SIGTERM or
 * by whatever happens to it.
 */
import process from 'node:process'
import { MillraceError } from '../../../src/base/faults.ts'
import { kafka, millrace } from '../../../src/index.ts'
import type { ClusterEngine } from '../../../src/stream/cluster/cluster-engine.ts'
import type { EngineCounts } from '../../../src/stream/engine-types.ts'
import { definitionsOn } from './definitions.ts'

export type WorkerOptions = {
  readonly brokers: string
  readonly replication: number
  readonly folder: string
  readonly topic: string
  readonly namespace: string
  readonly protocol: 'consumer' | 'classic'
  readonly sessionMs: number
  readonly checkpointMs: number
  /** Of `processed-events`. */
  readonly partitions: number
  /** Of the raw events. */
  readonly sources: number
}

export type Question =
  | { readonly ask: 'status' }
  | { readonly ask: 'settle' }
  | {
      readonly ask: 'read'
      readonly view: string
      readonly keys: readonly Record<string, unknown>[]
      readonly asOf: number
    }

export type Status = {
  /** Partitions whose tasks run here, as `topic/partition`. */
  readonly owned: readonly string[]
  /** Next offset per partition of the raw events, in all states that are here. */
  readonly prefix: readonly number[]
  readonly counts: EngineCounts
  readonly halted: readonly string[]
  readonly troubles: readonly string[]
  readonly fault: string | null
}

const options = JSON.parse(process.argv[2]!) as WorkerOptions
const { views, stream } = definitionsOn(options.topic)
const mill = await millrace({
  folder: options.folder,
  definitions: views,
  log: kafka(options.brokers, { replication: options.replication, namespace: options.namespace }),
  cluster: {
    group: { name: 'workers', protocol: options.protocol, sessionMs: options.sessionMs },
    partitions: options.partitions,
  },
  partitions: options.sources,
  checkpointMs: options.checkpointMs,
  keysMax: 1_000,
})
const engine = mill.engine as ClusterEngine

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case 'status':
      return status()
    case 'settle':
      await mill.caughtUp()
      await engine.checkpoint()
      return status()
    case 'read': {
      const { view, keys, asOf } = question
      return keys.map((key) => {
        try {
          return mill.read(view, key, { asOf })
        } catch (error) {
          if (error instanceof MillraceError) return error.code
          throw error
        }
      })
    }
  }
}

function status(): Status {
  const messages = (list: ClusterEngine['halted']): string[] =>
    list.map(({ topic, partition, fault }) => `${topic}/${partition}: ${fault.message}`)
  return {
    owned: engine.owned.map(({ topic, partition }) => `${topic}/${partition}`),
    prefix: engine.prefix(stream.name),
    counts: engine.counts,
    halted: messages(engine.halted),
    troubles: messages(engine.troubles),
    fault: engine.fault?.message ?? null,
  }
}

process.on('message', ({ id, question }: { id: number; question: Question }) => {
  void answer(question).then(
    (given) => process.send!({ id, given }),
    (error: unknown) => process.send!({ id, fault: String((error as Error).stack) }),
  )
})
process.once('SIGTERM', () => {
  void mill.close().then(() => process.exit(0))
})
// Without whoever asks, nobody needs it.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.send!({ ready: true })
