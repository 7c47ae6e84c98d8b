import type { Stream } from '../definition/stream.ts'
import { formatInstant, parseInstant } from '../schema/instant.ts'
import { checkTopic } from './check-names.ts'
import type { FaultList } from './faults.ts'
import type { HistoryPlan } from './plan.ts'
import { forgottenTopic } from './forgotten.ts'
import {
  deadLetterTopic,
  featureEventsPrefix,
  lateTopic,
  modelArtefactsTopic,
  modelRegistryTopic,
  registryTopic,
} from './topics.ts'

/** What the offsets of a history's topic are called in a prefix, beside those of the stream. No stream has this name. */
export function historyPrefixName(stream: string): string {
  return `${stream}.history`
}

/** Reads what a stream declares of its history; null without one, and where it has faults. */
export function compileHistory(stream: Stream, faults: FaultList): HistoryPlan | null {
  const { name, topic, history } = stream
  if (history === undefined) return null
  const path = `${name}.history`
  const untilMs = checkInstant(`${path}.until`, history.until, faults)
  const fromMs = history.from === null ? null : checkInstant(`${path}.from`, history.from, faults)
  if (untilMs !== null && (fromMs ?? -1) >= untilMs) {
    const fault = `the history begins at ${formatInstant(fromMs!)} and ends at ${formatInstant(untilMs)}`
    faults.add(path, fault, 'it begins before the hand-over point')
  }
  if (untilMs === null) return null
  return { topic: history.topic ?? `history.${topic}`, fromMs, untilMs }
}

function checkInstant(path: string, text: string, faults: FaultList): number | null {
  const ms = typeof text === 'string' ? parseInstant(text, 'ms') : null
  if (ms === null) {
    faults.add(
      path,
      `${JSON.stringify(text)} is no instant`,
      'ISO 8601 with a zone in [1970, 2100): 2026-06-01T00:00:00Z',
    )
  }
  return ms
}

/** Files go to a topic of their own: nothing else may write there, and no other stream may read from it. */
export function checkHistoryTopics(streams: readonly Stream[], faults: FaultList): void {
  const taken = new Map(streams.map(({ name, topic }) => [topic, `stream "${name}" reads`]))
  for (const output of [
    deadLetterTopic,
    lateTopic,
    registryTopic,
    modelRegistryTopic,
    modelArtefactsTopic,
    forgottenTopic,
  ])
    taken.set(output, 'the engine writes to')
  for (const { name, topic: live, history } of streams) {
    if (history === undefined) continue
    const topic = history.topic ?? `history.${live}`
    const path = `${name}.history.topic`
    const other = taken.get(topic) ?? (topic.startsWith(featureEventsPrefix) ? 'the engine writes to' : undefined)
    checkTopic(path, topic, faults)
    if (other !== undefined) {
      const hint = `a topic of its own: history: { topic: 'history.${name}', … }`
      faults.add(path, `"${topic}" is a topic that ${other}`, hint)
    }
    taken.set(topic, `the history of stream "${name}" lies in`)
  }
}
