import type { LogRecord } from '../log/log.ts'

/** What the records of output topics carry beside their contents: where they came from, and why. */
export const outputHeaders = {
  stream: 'millrace.stream',
  topic: 'millrace.topic',
  partition: 'millrace.partition',
  offset: 'millrace.offset',
  /** Of a prediction of an event: which model. */
  model: 'millrace.model',
  reason: 'millrace.reason',
  detail: 'millrace.detail',
  /** How many headers of the source record found no room. They are at its coordinates still. */
  dropped: 'millrace.headers-dropped',
  /** Of a value per interval: the end of the interval, in epoch milliseconds. */
  windowEnd: 'millrace.window-end',
  /** Of a value per interval: fingerprint of the view, which the events that it counts depend on. */
  view: 'millrace.view',
} as const

/** A record of a source topic, as one stream of perhaps several reads it. */
export type Coordinates = {
  readonly stream: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export function coordinateHeaders({ stream, topic, partition, offset }: Coordinates): Record<string, string> {
  return {
    [outputHeaders.stream]: stream,
    [outputHeaders.topic]: topic,
    [outputHeaders.partition]: String(partition),
    [outputHeaders.offset]: String(offset),
  }
}

export function coordinatesIn(record: LogRecord): Coordinates {
  return {
    stream: headerText(record, outputHeaders.stream),
    topic: headerText(record, outputHeaders.topic),
    partition: Number(headerText(record, outputHeaders.partition)),
    offset: Number(headerText(record, outputHeaders.offset)),
  }
}

/** Empty when there is none. Ours come last: an event that carries headers of these names itself does not mislead. */
export function headerText(record: LogRecord, name: string): string {
  const found = record.headers.findLast(([header]) => header === name)
  return found === undefined ? '' : Buffer.from(found[1]).toString()
}
