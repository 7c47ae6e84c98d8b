import { forgottenTopic } from './forgotten.ts'
import * as topics from './topics.ts'

/**
 * Whether millrace made up a topic's name, and what is in it is its own. Where applications share a cluster, each has a
 * namespace, and these once in it; the topics that streams read from belong to nobody and keep their names.
 */
export function isOwnTopic(topic: string): boolean {
  return names.has(topic) || prefixes.some((prefix) => topic.startsWith(prefix))
}

const names = new Set<string>([
  ...Object.values(topics).filter((value) => typeof value === 'string'),
  forgottenTopic,
  'experiment-data',
  'model-artefacts',
  'model-registry',
  'writer-schemas',
])

/** What comes before the name of a view, an entity or a topic. */
const prefixes = [
  topics.featureEventsPrefix,
  topics.featureStateTopic(''),
  'history.',
  topics.ingestStateTopic(''),
  topics.processedEventsTopic(''),
]
