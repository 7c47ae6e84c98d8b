import type { Log } from '../log/log.ts'
import { forgottenTopic } from '../plan/forgotten.ts'
import type { Plan } from '../plan/plan.ts'
import { deadLetterTopic, lateTopic } from '../plan/topics.ts'

/** Creates every topic that a plan reads or writes and that is not there yet. One that is there keeps its partitions. */
export async function createTopics(
  plan: Plan,
  { log, partitions }: { readonly log: Log; readonly partitions: number },
): Promise<void> {
  const existing = new Set(log.topics().map(({ topic }) => topic))
  const create = async (topic: string, count: number): Promise<void> => {
    if (existing.has(topic)) return
    existing.add(topic)
    await log.createTopic(topic, { partitions: count })
  }
  for (const { topic } of plan.streams) await create(topic, partitions)
  for (const topic of [deadLetterTopic, lateTopic]) await create(topic, partitions)
  await create(forgottenTopic, 1)
}
