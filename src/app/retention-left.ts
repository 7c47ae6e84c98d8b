import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { Log } from '../log/log.ts'

type Reading = { readonly topic: string; readonly partition: number; readonly next: number }

/**
 * In how many milliseconds retention may delete the first record that has not been read; 0: it has deleted some. With
 * nothing unread it is the whole retention. Null: the topic keeps its records for ever.
 */
export async function retentionLeftMs(
  { topic, partition, next }: Reading,
  log: Log,
  clock: Clock,
): Promise<number | null> {
  const retentionMs = log.topics().find((one) => one.topic === topic)?.retentionMs ?? null
  if (retentionMs === null) return null
  if (next < log.start(topic, partition)) return 0
  if (next >= log.end(topic, partition)) return retentionMs
  try {
    const { records } = await log.read(topic, partition, next, 1)
    const [first] = records
    return first === undefined ? retentionMs : Math.max(0, first.timestampMs + retentionMs - clock.now())
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'LOG_OFFSET_OUT_OF_RANGE') return 0
    throw error
  }
}
