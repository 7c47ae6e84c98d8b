import type { Log } from '../log/log.ts'
import { forgottenTopic } from '../plan/forgotten.ts'
import type { Plan, RetentionPlan, StreamPlan } from '../plan/plan.ts'
import { checkTopicRetentions } from '../plan/retention.ts'
import { deadLetterTopic, lateTopic } from '../plan/topics.ts'
import { featureTopicsOf } from './feature-events.ts'

/**
 * Creates every topic that a plan reads or writes and that is not there yet. One that is there keeps its partitions, and
 * must keep its records as long as the plan says and needs (`LOG_RETENTION_MISMATCH`, `RETENTION_SHORT`).
 */
export async function createTopics(
  plan: Plan,
  { log, partitions }: { readonly log: Log; readonly partitions: number },
): Promise<void> {
  const existing = new Set(log.topics().map(({ topic }) => topic))
  const create = async (topic: string, count: number, retention: RetentionPlan | null = null): Promise<void> => {
    if (existing.has(topic)) return
    existing.add(topic)
    const kept = retention === null ? {} : { retentionMs: retention.keepMs }
    await log.createTopic(topic, { partitions: count, ...kept })
  }
  const createSources = async ({ topic, retention, history }: StreamPlan): Promise<void> => {
    const declared = retention ?? plan.streams.find((one) => one.topic === topic && one.retention !== null)?.retention
    await create(topic, partitions, declared ?? null)
    if (history === null) return
    await create(history.topic, log.topics().find((one) => one.topic === topic)!.partitions)
  }
  checkTopicRetentions(plan, log.topics())
  for (const stream of plan.streams) await createSources(stream)
  for (const topic of [deadLetterTopic, lateTopic]) await create(topic, partitions)
  for (const topic of featureTopicsOf(plan).keys()) await create(topic, partitions)
  await create(forgottenTopic, 1)
}
