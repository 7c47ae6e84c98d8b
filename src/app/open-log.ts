import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { openKafkaLog as OpenKafkaLog } from '../log/kafka/kafka-log.ts'
import type { KafkaOptions } from '../log/kafka/kafka-options.ts'
import type { Log } from '../log/log.ts'
import { openFolderLog } from './folder-log.ts'

/** A log that is not in the data folder. */
export type LogPlace = { readonly kind: 'kafka'; readonly options: KafkaOptions }

/** The log in a Kafka cluster: `log: kafka('host:9092,host:9092')`. */
export function kafka(brokers: string, options: Omit<KafkaOptions, 'brokers'> = {}): LogPlace {
  return { kind: 'kafka', options: { ...options, brokers } }
}

/** Opens the log at its place, or the one in the folder. Throws what the adapter throws, and `KAFKA_CLIENT_MISSING`. */
export async function openLog(folder: string, place: LogPlace | undefined, clock: Clock): Promise<Log> {
  if (place === undefined) return await openFolderLog(folder, clock)
  const { openKafkaLog } = await loadKafka()
  return await openKafkaLog({ ...place.options, clock })
}

/** Loaded when it is asked for: its package is an optional peer. */
async function loadKafka(): Promise<{ readonly openKafkaLog: typeof OpenKafkaLog }> {
  try {
    return await import('../log/kafka/kafka-log.ts')
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    if (code !== 'ERR_MODULE_NOT_FOUND' || message?.includes('@platformatic/kafka') !== true) throw error
    throw new MillraceError('KAFKA_CLIENT_MISSING', { version: kafkaClientVersion }, { cause: error })
  }
}

/** As in `peerDependencies`. */
const kafkaClientVersion = '2.12.1'
