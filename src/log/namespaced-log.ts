import type { Log, TopicDescription } from './log.ts'

export type Namespace = {
  readonly name: string
  /** Whether a topic is one of those that each namespace has its own of. */
  readonly isOwn: (topic: string) => boolean
}

/**
 * A log as one namespace sees it: its own topics are stored as `NAME.topic`, and go by their short names here. Those of
 * no namespace are not there; those of others go by their whole names, as any topic.
 */
export function namespacedLog(log: Log, namespace: Namespace): Log {
  const stored = (topic: string): string => storedName(topic, namespace)
  return {
    id: `${log.id}/${namespace.name}`,
    createTopic: (topic, options) => log.createTopic(stored(topic), options),
    topics: () =>
      log
        .topics()
        .flatMap((one): TopicDescription[] => {
          const topic = nameIn(one.topic, namespace)
          return topic === null ? [] : [{ ...one, topic }]
        })
        .sort((a, b) => (a.topic < b.topic ? -1 : 1)),
    append: (topic, partition, records) => log.append(stored(topic), partition, records),
    read: (topic, partition, offset, bytesMax) => log.read(stored(topic), partition, offset, bytesMax),
    start: (topic, partition) => log.start(stored(topic), partition),
    end: (topic, partition) => log.end(stored(topic), partition),
    refresh: (topic) => log.refresh(stored(topic)),
    offsetAt: (topic, partition, timestampMs) => log.offsetAt(stored(topic), partition, timestampMs),
    waitFor: (topic, partition, offset, signal) => log.waitFor(stored(topic), partition, offset, signal),
    close: () => log.close(),
  }
}

export function storedName(topic: string, { name, isOwn }: Namespace): string {
  return isOwn(topic) ? `${name}.${topic}` : topic
}

/** Null: it goes by a name that means another topic here. */
function nameIn(stored: string, { name, isOwn }: Namespace): string | null {
  if (isOwn(stored)) return null
  const inner = stored.startsWith(`${name}.`) ? stored.slice(name.length + 1) : ''
  return isOwn(inner) ? inner : stored
}
