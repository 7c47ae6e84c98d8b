import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import { type Compression, compressions } from './compression.ts'

export type KafkaOptions = {
  /** Some of the cluster's brokers, as `host:port,host:port`. */
  readonly brokers: string
  /** Who logs in, if the listener asks; without, nobody does. */
  readonly sasl?: KafkaSasl
  /** Of Node's TLS: `ca`, `cert` and `key`, `servername`, …; `{}` for a certificate that Node trusts. */
  readonly tls?: TlsOptions
  /** Replicas of topics that are created. Default: 3. */
  readonly replication?: number
  /** How many of them have a record before an append resolves (`min.insync.replicas`). Default: all but one. */
  readonly inSyncMin?: number
  /** Default: snappy. */
  readonly compression?: Compression
  /** One append, which is one batch of Kafka's; topics are created to take it. Default: 16 MiB. */
  readonly appendBytesMax?: number
  /** How long an append or a read is tried before it fails; who waits for records waits longer. Default: 2 minutes. */
  readonly deliveryMs?: number
}

export type KafkaSasl =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
      readonly username: string
      readonly password: string
    }
  | { readonly mechanism: 'OAUTHBEARER'; readonly token: string | (() => string | Promise<string>) }

export type KafkaSettings = Omit<Required<KafkaOptions>, 'sasl' | 'tls' | 'brokers'> & {
  readonly clock: Clock
  readonly seeds: readonly { readonly host: string; readonly port: number }[]
  readonly brokers: string
  readonly sasl: KafkaSasl | null
  readonly tls: TlsOptions | null
}

/** Throws `KAFKA_OPTIONS_MALFORMED`. */
export function kafkaSettings(options: KafkaOptions, clock: Clock): KafkaSettings {
  const { brokers, replication = 3, compression = 'snappy' } = options
  const inSyncMin = options.inSyncMin ?? Math.max(1, replication - 1)
  if (!Number.isInteger(replication) || replication < 1 || replication > 100) {
    refuse(`replication ${replication}`, 'a whole number from 1 on')
  }
  if (!Number.isInteger(inSyncMin) || inSyncMin < 1 || inSyncMin > replication) {
    refuse(`inSyncMin ${inSyncMin}`, `1 to ${replication}, the number of replicas`)
  }
  if (!compressions.includes(compression)) refuse(`compression "${String(compression)}"`, compressions.join(', '))
  return {
    clock,
    brokers,
    seeds: parseBrokers(brokers),
    replication,
    inSyncMin,
    compression,
    appendBytesMax: options.appendBytesMax ?? 16 * 1024 * 1024,
    deliveryMs: options.deliveryMs ?? 120_000,
    sasl: options.sasl ?? null,
    tls: options.tls ?? null,
  }
}

function parseBrokers(brokers: string): { host: string; port: number }[] {
  return brokers.split(',').map((text) => {
    const [, host, port] = /^\s*(\[[0-9a-fA-F:]+\]|[^\s:,]+):(\d{1,5})\s*$/.exec(text) ?? []
    if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
      refuse(`brokers "${brokers}"`, 'host:port, several with commas between them')
    }
    return { host: host.replaceAll(/[[\]]/g, ''), port: Number(port) }
  })
}

function refuse(detail: string, allowed: string): never {
  throw new MillraceError('KAFKA_OPTIONS_MALFORMED', { detail, allowed })
}
