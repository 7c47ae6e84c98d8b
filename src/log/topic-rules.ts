import { formatDuration } from '../base/duration.ts'
import { MillraceError } from '../base/faults.ts'
import type { TopicDescription, TopicOptions } from './log.ts'

/**
 * The names that Kafka allows, which are safe in the names of files too; two topics whose names differ only by case are
 * refused, because some file systems would take them for one folder.
 */
export function checkTopicName(topic: string, existing: Iterable<string>): void {
  const refuse = (detail: string): never => {
    throw new MillraceError('LOG_TOPIC_NAME_REFUSED', { topic, detail })
  }
  if (topic.length === 0 || topic.length > topicLengthMax) refuse(`it has ${topic.length} characters`)
  const foreign = /[^a-zA-Z0-9._-]/u.exec(topic)
  if (foreign !== null) refuse(`it holds ${JSON.stringify(foreign[0])}`)
  if (topic === '.' || topic === '..') refuse('it means a folder')
  for (const other of existing) {
    if (other !== topic && other.toLowerCase() === topic.toLowerCase()) refuse(`topic "${other}" differs only by case`)
  }
}

export function checkTopicOptions({ partitions, retentionMs }: TopicOptions): void {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax) {
    const allowed = `Ask for 1 to ${partitionsMax} partitions.`
    throw new MillraceError('REQUEST_MALFORMED', { detail: `a topic of ${partitions} partitions`, allowed })
  }
  if (retentionMs !== undefined && (!Number.isSafeInteger(retentionMs) || retentionMs < 0)) {
    const allowed = 'Give whole milliseconds from 0 on, or nothing to keep records for ever.'
    throw new MillraceError('REQUEST_MALFORMED', { detail: `a retention of ${retentionMs} ms`, allowed })
  }
}

/** A retention is checked where one is asked for: a topic that somebody else keeps shorter is theirs. */
export function checkExisting({ topic, partitions, retentionMs }: TopicDescription, asked: TopicOptions): void {
  if (partitions !== asked.partitions) {
    throw new MillraceError('LOG_TOPIC_MISMATCH', { topic, existing: partitions, asked: asked.partitions })
  }
  if (asked.retentionMs === undefined || asked.retentionMs === retentionMs) return
  const existing = retentionMs === null ? 'ever' : formatDuration(retentionMs)
  throw new MillraceError('LOG_RETENTION_MISMATCH', { topic, existing, asked: formatDuration(asked.retentionMs) })
}

const topicLengthMax = 249
const partitionsMax = 1024
