import { type Connection, FindCoordinatorKeyTypes, findCoordinatorV4 } from '@platformatic/kafka'
import type { Cluster, Lane } from '../cluster.ts'
import { troubleOfCode } from '../kafka-trouble.ts'

/** The broker that keeps a group, wherever it is by now. */
export class Coordinator {
  readonly #cluster: Cluster
  readonly #group: string
  #node: number | null = null

  constructor(cluster: Cluster, group: string) {
    this.#cluster = cluster
    this.#group = group
  }

  /** Throws what the client library throws. */
  async send<Answer>(lane: Lane, request: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    this.#node ??= await this.#find()
    return await this.#cluster.send(this.#node, lane, request)
  }

  /** It did not answer, or is none: the next request looks for it, over new connections. */
  forget(): void {
    if (this.#node !== null) for (const lane of ['group', 'join'] as const) this.#cluster.disconnect(this.#node, lane)
    this.#node = null
  }

  async #find(): Promise<number> {
    const { coordinators } = await this.#cluster.ask((connection) =>
      findCoordinatorV4.api.async(connection, FindCoordinatorKeyTypes.GROUP, [this.#group]),
    )
    const { nodeId, errorCode } = coordinators[0]!
    if (errorCode !== 0) throw Object.assign(new Error(), { apiId: troubleOfCode(errorCode).name })
    await this.#cluster.metadata()
    return nodeId
  }
}
