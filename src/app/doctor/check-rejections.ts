import type { Log, LogRecord } from '../../log/log.ts'
import { deadLetterTopic, lateTopic } from '../../plan/topics.ts'
import type { Checkpoint, TrackProgress } from '../../stream/checkpoint.ts'
import { coordinatesIn } from '../../stream/output-headers.ts'
import type { Findings } from './finding.ts'

/** The rejections of one output topic: their source coordinates, each where it lies. */
export type FoundRejections = {
  readonly topic: string
  /** Stream, topic, partition and offset of the source → where the rejection lies. */
  readonly places: ReadonlyMap<string, string>
  /** Topic and partition of the source → stream and offset of each. */
  readonly bySource: ReadonlyMap<string, readonly { readonly stream: string; readonly offset: number }[]>
  /** Whether retention has removed any. */
  readonly trimmed: boolean
}

const duplicateHint =
  'Whoever replays dead letters replays this one twice; ids make that harmless. Report it: it must not happen.'
const orphanHint = 'The log lost records after it was written. Restore the folder from a backup.'
const missingHint =
  'The records are in the source topic still. Restore the folder from a backup, or delete `store` and the topic, so that both are written again.'

/** Every dead letter and late event exactly once, and as many as the counters say. */
export async function checkRejections(checkpoint: Checkpoint, log: Log, findings: Findings): Promise<void> {
  for (const topic of [deadLetterTopic, lateTopic]) {
    if (!log.topics().some((one) => one.topic === topic)) continue
    const found = await readRejections(log, topic, findings)
    const kind = topic === lateTopic ? 'late' : 'refused'
    let counted = 0
    for (const track of checkpoint.tracks) {
      for (const source of track.sources) {
        if (!speaksForAll(checkpoint, track, source.topic) || source.emitFrom !== 0 || found.trimmed) continue
        const all = found.bySource.get(`${source.topic}/${source.partition}`) ?? []
        const seen = all.filter(({ offset }) => offset < source.next)
        const own = seen.filter(({ stream }) => stream === track.name)
        const expected = source.counts[kind]
        counted += expected
        // Under other names, too, when the stream was renamed since.
        if (seen.length === expected || own.length === expected) continue
        const at = `${source.topic}/${source.partition}`
        const what = `${expected} records of ${at} were ${kind}, and ${seen.length} of them are in ${topic}`
        findings.fault(topic, what, missingHint)
      }
    }
    if (findings.all.every(({ check, status }) => check !== topic || status !== 'fault')) {
      findings.ok(topic, `${found.places.size} records, each once; ${counted} are what the counters say`)
    }
  }
}

/** Whether a track is the only one whose rejections of a topic go out, so that its counters say how many there are. */
function speaksForAll({ tracks }: Checkpoint, track: TrackProgress, topic: string): boolean {
  const others = tracks.filter((one) => !one.building && one.sources.some((source) => source.topic === topic))
  return !track.building && others.length === 1
}

export async function readRejections(log: Log, topic: string, findings: Findings): Promise<FoundRejections> {
  const places = new Map<string, string>()
  const bySource = new Map<string, { stream: string; offset: number }[]>()
  let trimmed = false
  const partitions = log.topics().find((one) => one.topic === topic)?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    trimmed ||= log.start(topic, partition) > 0
    for await (const record of recordsOf(log, topic, partition)) {
      const { stream, topic: source, partition: from, offset } = coordinatesIn(record)
      const place = `${topic}/${partition}@${record.offset}`
      const name = `${stream} ${source}/${from}@${offset}`
      const other = places.get(name)
      if (other !== undefined) findings.fault(topic, `${name} is there twice: ${other} and ${place}`, duplicateHint)
      places.set(name, place)
      const partitionsOfSource = log.topics().find((one) => one.topic === source)?.partitions ?? 0
      if (from >= partitionsOfSource || offset >= log.end(source, from)) {
        findings.fault(topic, `${place} came from ${name}, which is not in the log`, orphanHint)
      }
      const list = bySource.get(`${source}/${from}`) ?? []
      list.push({ stream, offset })
      bySource.set(`${source}/${from}`, list)
    }
  }
  return { topic, places, bySource, trimmed }
}

export async function* recordsOf(
  log: Log,
  topic: string,
  partition: number,
  end = log.end(topic, partition),
): AsyncGenerator<LogRecord, void, undefined> {
  for (let offset = log.start(topic, partition); offset < end; ) {
    const { records, next } = await log.read(topic, partition, offset, 1024 * 1024)
    for (const record of records) if (record.offset < end) yield record
    offset = next
  }
}
