import { type Clock, systemClock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { KafkaOptions } from '../log/kafka/kafka-options.ts'
import type { Log } from '../log/log.ts'
import { type Namespace, namespacedLog } from '../log/namespaced-log.ts'
import { isOwnTopic } from '../plan/own-topics.ts'
import { openFolderLog } from './folder-log.ts'
import { openReadOnlyLog } from './inspect-folder.ts'

/** A log that is not in the data folder. */
export type LogPlace = {
  readonly kind: 'kafka'
  readonly options: KafkaOptions
  /** Null: our own topics go by their bare names. */
  readonly namespace: Namespace | null
}

export type KafkaPlaceOptions = Omit<KafkaOptions, 'brokers'> & {
  /**
   * Stands before the names of our own topics (`shop.dead-letter-queue`, …), so that several applications can share a
   * cluster. The topics that streams read from keep their names.
   */
  readonly namespace?: string
}

/** The log in a Kafka cluster: `log: kafka('host:9092,host:9092')`. Throws `KAFKA_OPTIONS_MALFORMED`. */
export function kafka(brokers: string, { namespace: name, ...options }: KafkaPlaceOptions = {}): LogPlace {
  if (name !== undefined && !/^[a-zA-Z0-9_-]{1,64}$/.test(name)) {
    const allowed = 'up to 64 letters, digits, hyphens and underscores'
    throw new MillraceError('KAFKA_OPTIONS_MALFORMED', { detail: `namespace ${JSON.stringify(name)}`, allowed })
  }
  return {
    kind: 'kafka',
    options: { ...options, brokers },
    namespace: name === undefined ? null : { name, isOwn: isOwnTopic },
  }
}

/** Opens the log at its place, or the one in the folder. Throws what the adapter throws, and `KAFKA_CLIENT_MISSING`. */
export async function openLog(folder: string, place: LogPlace | undefined, clock: Clock): Promise<Log> {
  if (place === undefined) return await openFolderLog(folder, clock)
  const { openKafkaLog } = await loadKafkaModule(() => import('../log/kafka/kafka-log.ts'))
  const log = await openKafkaLog({ ...place.options, clock })
  return place.namespace === null ? log : namespacedLog(log, place.namespace)
}

/**
 * Opens it to read, beside whatever else runs. Throws `FOLDER_WITHOUT_LOG` where there is none in the folder, and what
 * `openLog` throws.
 */
export async function openLogToRead(
  folder: string,
  place: LogPlace | undefined,
  clock: Clock = systemClock,
): Promise<Log> {
  return place === undefined ? await openReadOnlyLog(folder, clock) : await openLog(folder, place, clock)
}

/** Loaded when it is asked for: its package is an optional peer. */
export async function loadKafkaModule<Loaded>(load: () => Promise<Loaded>): Promise<Loaded> {
  try {
    return await load()
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    if (code !== 'ERR_MODULE_NOT_FOUND' || message?.includes('@platformatic/kafka') !== true) throw error
    throw new MillraceError('KAFKA_CLIENT_MISSING', { version: kafkaClientVersion }, { cause: error })
  }
}

/** As in `peerDependencies`. */
const kafkaClientVersion = '2.12.1'
