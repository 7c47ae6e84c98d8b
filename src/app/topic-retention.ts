import { type Clock, systemClock } from '../base/clock.ts'
import type { Log } from '../log/log.ts'
import type { Plan } from '../plan/plan.ts'
import { openFolderLog } from './folder-log.ts'
import { openReadOnlyLog } from './inspect-folder.ts'

/** How long a topic that streams of a plan read keeps its records, and how long they declare. */
export type TopicRetention = {
  readonly topic: string
  readonly streams: readonly string[]
  /** Null: for ever. */
  readonly keptMs: number | null
  /** Null: nobody declares any. */
  readonly declaredMs: number | null
  /** Records older than what is declared: so many could go. Whole segments do, so that it may be fewer. */
  readonly expired: number
}

type Place = { readonly folder: string; readonly clock?: Clock }

/** The topics of a plan that are there. Changes nothing; also while a millrace runs. */
export async function retentionsOf(plan: Plan, { folder, clock = systemClock }: Place): Promise<TopicRetention[]> {
  const log = await openReadOnlyLog(folder, clock)
  try {
    return await describe(plan, log, clock)
  } finally {
    await log.close()
  }
}

/**
 * Gives every topic the retention that is declared for it; the next start then removes what is older. No process may
 * run in the folder. Gives what was changed, as it was before.
 */
export async function applyRetentions(plan: Plan, { folder, clock = systemClock }: Place): Promise<TopicRetention[]> {
  const log = await openFolderLog(folder, clock)
  try {
    const all = await describe(plan, log, clock)
    const changed = all.filter(({ keptMs, declaredMs }) => declaredMs !== null && declaredMs !== keptMs)
    for (const { topic, declaredMs } of changed) await log.setRetention(topic, declaredMs!)
    return changed
  } finally {
    await log.close()
  }
}

async function describe({ streams }: Plan, log: Log, clock: Clock): Promise<TopicRetention[]> {
  const found: TopicRetention[] = []
  for (const { topic, partitions, retentionMs } of log.topics()) {
    const own = streams.filter((stream) => stream.topic === topic)
    if (own.length === 0) continue
    const declaredMs = own.find(({ retention }) => retention !== null)?.retention?.keepMs ?? null
    let expired = 0
    for (let partition = 0; declaredMs !== null && partition < partitions; partition++) {
      const first = await log.offsetAt(topic, partition, clock.now() - declaredMs)
      expired += first - log.start(topic, partition)
    }
    found.push({ topic, streams: own.map(({ name }) => name), keptMs: retentionMs, declaredMs, expired })
  }
  return found
}
