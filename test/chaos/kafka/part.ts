import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../../../scripts/kafka/cluster.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { openKafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import type { Log } from '../../../src/log/log.ts'
import type { Random } from '../../simulation/random.ts'
import { type FaultKind, faults } from './faults.ts'
import { Feeder } from './feeder.ts'
import type { Proxy } from './proxy.ts'
import { Scene } from './scene.ts'
import { allPartitions, type Verified, verify, verifyRestored } from './verify.ts'
import { Watch } from './watch.ts'
import type { WorkerOptions } from './worker.ts'

export type PartOptions = {
  readonly number: number
  readonly seed: number
  readonly nodes: 1 | 3
  readonly perSecond: number
  readonly sessionMs: number
  readonly downMsMax: number
  readonly freshMs: number
  readonly quietMs: number
  readonly recoveryMsMax: number
  readonly mutant?: string
  readonly root: string
  readonly logs: string
  readonly cluster: Cluster
  readonly proxies: readonly Proxy[]
  readonly random: Random
}

const [sources, partitions] = [2, 3]

/** Raw events of its own, and a group that works on them, from nothing to a comparison with the model. */
export class Part {
  readonly #options: PartOptions
  readonly #worker: Omit<WorkerOptions, 'folder' | 'brokers'>
  readonly #folder: string
  readonly #raw: Log
  readonly #scene: Scene
  readonly #feeder: Feeder
  readonly #watch: Watch

  private constructor(options: PartOptions, raw: Log, worker: Part['worker']) {
    const { cluster, proxies, logs, seed, perSecond, downMsMax, number, root, mutant = null } = options
    this.#options = options
    this.#worker = worker
    this.#raw = raw
    this.#folder = join(root, `part-${number}`)
    mkdirSync(this.#folder, { recursive: true })
    this.#scene = new Scene({ cluster, proxies, folder: this.#folder, logs, worker, downMsMax, mutant })
    this.#feeder = new Feeder({ log: raw, topic: worker.topic, partitions: sources, seed: seed + number, perSecond })
    this.#watch = new Watch({
      feeder: this.#feeder,
      members: () => this.#scene.members,
      partitions: allPartitions(worker),
      freshMs: options.freshMs,
      quietMs: options.quietMs,
    })
  }

  get worker(): Omit<WorkerOptions, 'folder' | 'brokers'> {
    return this.#worker
  }

  /** Resolves when all is well. */
  static async begin(options: PartOptions): Promise<Part> {
    const { cluster, nodes, number, sessionMs, random } = options
    const worker = {
      replication: nodes,
      topic: `raw-events-${number}`,
      namespace: `part${number}`,
      protocol: random.pick(['consumer', 'classic'] as const),
      sessionMs,
      checkpointMs: random.pick([50, 300, 1_000]),
      partitions,
      sources,
    }
    const raw = await openKafkaLog({ brokers: cluster.brokers, replication: nodes, clock: systemClock })
    await raw.createTopic(worker.topic, { partitions: sources })
    const part = new Part(options, raw, worker)
    try {
      // The first one creates the topics.
      await part.#scene.start(null).ready
      for (let more = random.between(1, 2); more > 0; more--) part.#scene.start(null)
      await part.#watch.shared(options.recoveryMsMax)
      await part.#watch.regained(performance.now(), options.recoveryMsMax)
    } catch (error) {
      await part.kill()
      throw error
    }
    return part
  }

  /** Gives how long it took until all was well again. */
  async inject(kind: FaultKind): Promise<number> {
    const fromMs = await faults[kind].inject(this.#scene, this.#options.random)
    const recoveryMs = await this.#watch.regained(fromMs, this.#options.recoveryMsMax)
    // Else the next fault may come to one that has no part in the work yet.
    await this.#watch.shared(this.#options.recoveryMsMax)
    return recoveryMs
  }

  /** Ends the input, lets everything settle, and compares. */
  async end(): Promise<Verified> {
    const { cluster, seed, number } = this.#options
    const { members } = this.#scene
    await this.#feeder.end()
    await this.#watch.regained(performance.now(), this.#options.recoveryMsMax)
    await this.#watch.end()
    const { brokers } = cluster
    const options = {
      brokers,
      folder: this.#folder,
      seed: seed + number,
      members,
      worker: this.#worker,
      acknowledged: this.#feeder.acknowledged,
    }
    const verified = await verify(options)
    for (const member of members) await this.#scene.drain(member)
    await verifyRestored(options)
    await this.#raw.close()
    rmSync(this.#folder, { recursive: true, force: true })
    return verified
  }

  /** Nothing of it goes on. */
  async kill(): Promise<void> {
    await this.#scene.killAll()
    await this.#watch.end().catch(() => undefined)
    // Appends may wait for brokers that do not come any more.
    void this.#feeder.end().catch(() => undefined)
    await Promise.race([this.#raw.close().catch(() => undefined), systemClock.sleep(2_000)])
  }
}
