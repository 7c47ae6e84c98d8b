import { isIP } from 'node:net'
import { apiVersionsV3, Connection, type ConnectionOptions, metadataV12, ResponseError } from '@platformatic/kafka'
import { MillraceError } from '../../base/faults.ts'
import type { KafkaSettings } from './kafka-options.ts'
import { kafkaFault, type Trouble, troubleOf } from './kafka-trouble.ts'

/**
 * A broker answers the requests of one connection one after the other: those that may wait for records, those that
 * fetch what is there, those that write, heartbeats of a group, and those that wait until all its members have joined
 * have a connection each.
 */
export type Lane = 'poll' | 'read' | 'write' | 'group' | 'join'

export type Metadata = metadataV12.MetadataResponse

export type NeededApi = { readonly api: string; readonly key: number; readonly version: number }

/** The answer also where it says of some topic or partition that something is wrong: whoever asked looks at each. */
export async function evenSo<Answer>(asked: Promise<Answer>): Promise<Answer> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof ResponseError) return (error as ResponseError & { readonly response: Answer }).response
    throw error
  }
}

/** The brokers of a cluster, and connections to them. */
export class Cluster {
  readonly settings: KafkaSettings
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #closing = new AbortController()
  #brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[] = []

  constructor(settings: KafkaSettings) {
    this.settings = settings
  }

  /** Aborts when the cluster is left. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  get brokerCount(): number {
    return this.#brokers.length
  }

  /** All topics that may be seen, who leads their partitions, and what this client may do. Also learns the brokers anew. */
  async metadata({ operations = false }: { readonly operations?: boolean } = {}): Promise<Metadata> {
    const metadata = await this.#anywhere((connection) =>
      evenSo<Metadata>(metadataV12.api.async(connection, null, false, operations)),
    )
    this.#brokers = metadata.brokers
    return metadata
  }

  /** Throws `KAFKA_TOO_OLD`. */
  async checkVersions(needed: readonly NeededApi[]): Promise<void> {
    const { apiKeys } = await this.#anywhere((connection) => apiVersionsV3.api.async(connection, 'millrace', '1'))
    for (const { api, key, version } of needed) {
      const known = apiKeys.find(({ apiKey }) => apiKey === key)
      if (known === undefined || known.maxVersion < version || known.minVersion > version) {
        throw new MillraceError('KAFKA_TOO_OLD', { broker: this.settings.brokers, api, version })
      }
    }
  }

  /** Of a request, as one broker, or any, speaks it; null: it does not. */
  async newestVersion(key: number, node: number | null = null): Promise<number | null> {
    const ask = (connection: Connection): ReturnType<typeof apiVersionsV3.api.async> =>
      apiVersionsV3.api.async(connection, 'millrace', '1')
    const { apiKeys } = await (node === null ? this.#anywhere(ask) : this.send(node, 'write', ask))
    return apiKeys.find(({ apiKey }) => apiKey === key)?.maxVersion ?? null
  }

  /** Sends a request to one broker; throws what the client library throws. */
  async send<Answer>(node: number, lane: Lane, request: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    const broker = this.#brokers.find(({ nodeId }) => nodeId === node)
    if (broker === undefined) throw new Error(`broker ${node} is not there now`)
    return await request(await this.#connect(broker, lane))
  }

  /** Sends a request to the controller or any broker that can be reached. */
  async ask<Answer>(request: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    return await this.#anywhere(request)
  }

  /**
   * Tries again, later and later, what fails with a trouble that passes, until `withinMs` are over; then, and for other
   * troubles, throws the fault.
   */
  async retrying<Answer>(
    doing: { readonly action: string; readonly operation?: string; readonly topic?: string },
    action: () => Promise<Answer>,
    withinMs = 30_000,
  ): Promise<Answer> {
    const { clock } = this.settings
    const startedMs = clock.elapsed()
    for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, lastWaitMs)) {
      try {
        return await action()
      } catch (error) {
        if (error instanceof MillraceError) throw error
        if (this.closing.aborted) throw new MillraceError('LOG_CLOSED', {})
        const trouble: Trouble = troubleOf(error)
        if (!trouble.passes || clock.elapsed() - startedMs + waitMs > withinMs) {
          throw kafkaFault(trouble, this.settings, doing, error)
        }
        await clock.sleep(waitMs, this.closing)
      }
    }
  }

  /** Whoever waits for an answer there gets an error; the next request goes over a new connection. */
  disconnect(node: number, lane: Lane): void {
    const broker = this.#brokers.find(({ nodeId }) => nodeId === node)
    if (broker === undefined) return
    const name = nameOf(broker, lane)
    const connected = this.#connections.get(name)
    this.#connections.delete(name)
    // One that is not there need not be closed.
    void connected?.then((connection) => connection.close()).catch(() => undefined)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    const open = await Promise.allSettled(this.#connections.values())
    this.#connections.clear()
    for (const one of open) if (one.status === 'fulfilled') await one.value.close()
  }

  async #anywhere<Answer>(request: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    const { seeds } = this.settings
    const places = [...this.#brokers, ...seeds]
    let failure: unknown = null
    for (const place of places) {
      let connection: Connection
      try {
        connection = await this.#connect(place, 'write')
      } catch (error) {
        // Being refused is an answer: the other brokers would give the same.
        if (!troubleOf(error).passes) throw error
        failure ??= error
        continue
      }
      return await request(connection)
    }
    throw failure
  }

  #connect({ host, port }: { host: string; port: number }, lane: Lane): Promise<Connection> {
    const name = nameOf({ host, port }, lane)
    const existing = this.#connections.get(name)
    if (existing !== undefined) return existing
    if (this.closing.aborted) return Promise.reject(new MillraceError('LOG_CLOSED', {}))
    const connection = new Connection(`millrace-${lane}`, connectionOptions(this.settings, host, lane))
    const forget = (): void => {
      if (this.#connections.get(name) === connected) this.#connections.delete(name)
    }
    connection.on('close', forget)
    // The requests under way fail with it; without anybody listening, the process would end.
    connection.on('error', () => {
      forget()
      void connection.close()
    })
    const connected = open(connection, host, port)
    this.#connections.set(name, connected)
    connected.catch(forget)
    return connected
  }
}

function nameOf({ host, port }: { host: string; port: number }, lane: Lane): string {
  return `${lane} ${host}:${port}`
}

const firstWaitMs = 50
const lastWaitMs = 1_000

async function open(connection: Connection, host: string, port: number): Promise<Connection> {
  await connection.connect(host, port)
  return connection
}

function connectionOptions({ sasl, tls }: KafkaSettings, host: string, lane: Lane): ConnectionOptions {
  const requestTimeout = requestTimeoutsMs[lane]
  const options: ConnectionOptions = { connectTimeout: 5_000, requestTimeout, maxInflights: 5 }
  if (tls !== null) {
    options.tls = tls
    options.tlsServerName = isIP(host) === 0
  }
  if (sasl !== null) options.sasl = sasl
  return options
}

/** A heartbeat that is not answered soon had better be sent elsewhere; a group may take minutes to come together. */
const requestTimeoutsMs: Readonly<Record<Lane, number>> = {
  poll: 30_000,
  read: 30_000,
  write: 30_000,
  group: 5_000,
  join: 310_000,
}
