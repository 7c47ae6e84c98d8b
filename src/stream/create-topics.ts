import type { Log, TopicDescription } from '../log/log.ts'
import { forgottenTopic } from '../plan/forgotten.ts'
import type { Plan } from '../plan/plan.ts'
import { checkTopicRetentions } from '../plan/retention.ts'
import { deadLetterTopic, lateTopic } from '../plan/topics.ts'
import { featureTopicsOf } from './feature-events.ts'

export type PlannedTopic = {
  readonly topic: string
  readonly partitions: number
  /** Null: for ever. */
  readonly retentionMs: number | null
}

/** Every topic that a plan reads or writes, as it is made where it is not there yet. */
export function plannedTopics(
  plan: Plan,
  { existing, partitions }: { readonly existing: readonly TopicDescription[]; readonly partitions: number },
): readonly PlannedTopic[] {
  const planned = new Map<string, PlannedTopic>()
  const add = (topic: string, count: number, retentionMs: number | null): void => {
    if (!planned.has(topic)) planned.set(topic, { topic, partitions: count, retentionMs })
  }
  for (const { topic, retention, history } of plan.streams) {
    const declared = retention ?? plan.streams.find((one) => one.topic === topic && one.retention !== null)?.retention
    add(topic, partitions, declared?.keepMs ?? null)
    // A partition of a history is read beside the one of the stream.
    const beside = existing.find((one) => one.topic === topic)?.partitions ?? partitions
    if (history !== null) add(history.topic, beside, null)
  }
  for (const topic of [deadLetterTopic, lateTopic]) add(topic, partitions, null)
  for (const topic of featureTopicsOf(plan).keys()) add(topic, partitions, null)
  add(forgottenTopic, 1, null)
  return [...planned.values()]
}

/**
 * Creates the planned topics that are not there yet. One that is there keeps its partitions, and must keep its records
 * as long as the plan says and needs (`LOG_RETENTION_MISMATCH`, `RETENTION_SHORT`).
 */
export async function createTopics(
  plan: Plan,
  { log, partitions }: { readonly log: Log; readonly partitions: number },
): Promise<void> {
  const existing = log.topics()
  checkTopicRetentions(plan, existing)
  const names = new Set(existing.map(({ topic }) => topic))
  for (const { topic, partitions: count, retentionMs } of plannedTopics(plan, { existing, partitions })) {
    if (names.has(topic)) continue
    await log.createTopic(topic, { partitions: count, ...(retentionMs === null ? {} : { retentionMs }) })
  }
}
