import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startCluster } from '../../../scripts/kafka/cluster.ts'
import { kafkaFolder } from '../../../scripts/kafka/jars.ts'
import process from 'node:process'
import { Random } from '../../simulation/random.ts'
import { type FaultKind, faultKinds, faults } from './faults.ts'
import { Part, type PartOptions } from './part.ts'
import { Proxy } from './proxy.ts'
import type { Verified } from './verify.ts'

export type KafkaCampaignOptions = {
  readonly seed: number
  readonly nodes: 1 | 3
  /** Goes on until so many faults have come, and for so long. */
  readonly faultsMin: number
  readonly durationMs: number
  /** Of what is compared in the end and then left; at least one. */
  readonly partMs: number
  readonly perSecond: number
  readonly sessionMs: number
  readonly downMsMax: number
  /** See `WatchOptions`. */
  readonly freshMs: number
  readonly quietMs: number
  /** After how long without it the campaign has failed. */
  readonly recoveryMsMax: number
  /** Names a bug that is planted in the members' sources. */
  readonly mutant?: string
  readonly kinds?: readonly FaultKind[]
  readonly log: (text: string) => void
}

export type Injected = { readonly kind: FaultKind; readonly recoveryMs: number }

export type KafkaCampaign = {
  readonly seed: number
  readonly nodes: 1 | 3
  readonly seconds: number
  readonly injected: readonly Injected[]
  readonly compared: readonly Verified[]
}

/**
 * Faults on the processes of a cluster, on its brokers and on the lines between them, one after the other, each until
 * everything is well again. Throws at the first difference from the model; the logs of all processes are kept then.
 */
export async function runKafkaCampaign(options: KafkaCampaignOptions): Promise<KafkaCampaign> {
  const { seed, nodes, log } = options
  const startedMs = performance.now()
  const root = join(kafkaFolder, '..', 'chaos', `${seed}-${process.pid}`)
  const logs = join(root, 'logs')
  mkdirSync(logs, { recursive: true })
  const proxies = await Promise.all(Array.from({ length: nodes }, () => Proxy.open()))
  const cluster = await startCluster({
    folder: join(root, 'kafka'),
    nodes,
    proxies: proxies.map(({ port }) => port),
    properties: brokerProperties(options.sessionMs),
    readyMs: 180_000,
  })
  const killNow = (): void => {
    for (const { pid } of cluster.nodes) if (pid !== null) process.kill(pid, 'SIGKILL')
  }
  const killAndExit = (): void => process.exit(1)
  process.once('exit', killNow)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, killAndExit)
  cluster.proxied.forEach((port, index) => {
    proxies[index]!.broker = port
  })
  const random = new Random(seed, 'campaign')
  const drawn = new FaultBag(options, random)
  const injected: Injected[] = []
  const compared: Verified[] = []
  const isEnough = (): boolean =>
    injected.length >= options.faultsMin && performance.now() - startedMs >= options.durationMs
  let part: Part | null = null
  try {
    for (let number = 1; number === 1 || !isEnough(); number++) {
      const partOptions: PartOptions = { ...options, number, root, logs, cluster, proxies, random }
      part = await Part.begin(partOptions)
      const endsMs = performance.now() + options.partMs
      while (performance.now() < endsMs && !isEnough()) {
        const kind = drawn.next()
        log(`${kind} …`)
        const recoveryMs = await part.inject(kind)
        injected.push({ kind, recoveryMs })
        log(`${injected.length} ${kind}: well again after ${Math.round(recoveryMs)} ms`)
      }
      const verified = await part.end()
      compared.push(verified)
      log(JSON.stringify(verified))
    }
  } catch (error) {
    throw new Error(`seed ${seed}; the logs of all processes are in ${root}: ${String((error as Error).message)}`, {
      cause: error,
    })
  } finally {
    await part?.kill()
    await cluster.kill()
    process.off('exit', killNow)
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, killAndExit)
    for (const proxy of proxies) proxy.close()
  }
  rmSync(root, { recursive: true, force: true })
  return { seed, nodes, seconds: (performance.now() - startedMs) / 1_000, injected, compared }
}

/** Every kind before any comes again. */
class FaultBag {
  readonly #kinds: readonly FaultKind[]
  readonly #random: Random
  #left: FaultKind[] = []

  constructor({ nodes, kinds = faultKinds }: Pick<KafkaCampaignOptions, 'nodes' | 'kinds'>, random: Random) {
    this.#kinds = kinds.filter((kind) => nodes === 3 || !('three' in faults[kind]))
    this.#random = random
  }

  next(): FaultKind {
    if (this.#left.length === 0) this.#left = [...this.#kinds]
    return this.#left.splice(this.#random.below(this.#left.length), 1)[0]!
  }
}

/** Sessions as short as the members ask for, also where the broker decides. */
function brokerProperties(sessionMs: number): Record<string, string> {
  return {
    'group.consumer.min.session.timeout.ms': '1000',
    'group.consumer.session.timeout.ms': String(sessionMs),
    'group.consumer.min.heartbeat.interval.ms': '100',
    'group.consumer.heartbeat.interval.ms': String(Math.floor(sessionMs / 6)),
    'group.min.session.timeout.ms': '1000',
  }
}
