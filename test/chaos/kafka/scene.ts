import { join } from 'node:path'
import type { Cluster } from '../../../scripts/kafka/cluster.ts'
import { Member } from './member.ts'
import type { Proxy } from './proxy.ts'
import type { WorkerOptions } from './worker.ts'

export type SceneOptions = {
  readonly cluster: Cluster
  readonly proxies: readonly Proxy[]
  /** Holds the folders of the members. */
  readonly folder: string
  readonly logs: string
  readonly worker: Omit<WorkerOptions, 'folder' | 'brokers'>
  readonly downMsMax: number
  readonly mutant: string | null
}

/** What faults happen to: brokers, the proxies before them, and the members of a group. */
export class Scene {
  readonly cluster: Cluster
  readonly proxies: readonly Proxy[]
  readonly downMsMax: number
  readonly #options: SceneOptions
  #members: Member[] = []
  #folders = 0

  constructor(options: SceneOptions) {
    this.#options = options
    this.cluster = options.cluster
    this.proxies = options.proxies
    this.downMsMax = options.downMsMax
  }

  /** Those that nobody has ended. */
  get members(): readonly Member[] {
    return this.#members
  }

  get sessionMs(): number {
    return this.#options.worker.sessionMs
  }

  /** Of the members, as Kafka has it. */
  get group(): string {
    return `${this.#options.worker.namespace}.workers`
  }

  /** @param folder what an earlier one left; null: nothing. */
  start(folder: string | null): Member {
    const { worker, logs, folder: root, mutant } = this.#options
    const own = folder ?? join(root, `member-${this.#folders++}`)
    const brokers = this.proxies.map(({ port }) => `127.0.0.1:${port}`).join()
    const logFile = join(logs, `${worker.namespace}-${own.slice(root.length + 1)}.log`)
    const member = new Member({ options: { ...worker, brokers, folder: own }, logFile, mutant })
    this.#members.push(member)
    return member
  }

  async kill(member: Member): Promise<Member> {
    this.#remove(member)
    await member.kill()
    return member
  }

  async drain(member: Member): Promise<Member> {
    this.#remove(member)
    await member.drain()
    return member
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#members.map((member) => this.kill(member)))
  }

  #remove(member: Member): void {
    this.#members = this.#members.filter((one) => one !== member)
  }
}
