import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../simulation/random.ts'
import { groupCoordinator } from './group-coordinator.ts'
import type { Harm } from './proxy.ts'
import type { Scene } from './scene.ts'

export type FaultKind = keyof typeof faults

/** What is done, in words for a reader of the results. */
export type Fault = {
  readonly about: string
  /** Needs three nodes. */
  readonly three?: true
  /** Carries it out; gives the moment from which the recovery counts. */
  readonly inject: (scene: Scene, random: Random) => Promise<number>
}

const now = (): number => performance.now()

export const faults = {
  'worker killed': {
    about: '`kill -9`, and a start in the same folder up to 2 s later',
    inject: async (scene, random) => {
      const fromMs = now()
      const { folder } = await scene.kill(random.pick(scene.members))
      await sleep(random.pick([0, random.between(0, 2_000)]))
      scene.start(folder)
      return fromMs
    },
  },
  'store wiped': {
    about: '`kill -9`, and a start without its folder: everything comes from `feature-state`',
    inject: async (scene, random) => {
      const fromMs = now()
      const { folder } = await scene.kill(random.pick(scene.members))
      rmSync(folder, { recursive: true, force: true })
      scene.start(folder)
      return fromMs
    },
  },
  zombie: {
    about: 'SIGSTOP for longer than the session: others take over; then SIGCONT in the middle of their work',
    inject: async (scene, random) => {
      const fromMs = now()
      const member = random.pick(scene.members)
      member.stop()
      await sleep(scene.sessionMs + random.between(500, 3_000))
      member.continue()
      return fromMs
    },
  },
  drain: {
    about: 'SIGTERM; it has to end well; and a start in the same folder',
    inject: async (scene, random) => {
      const fromMs = now()
      const { folder } = await scene.drain(random.pick(scene.members))
      scene.start(folder)
      return fromMs
    },
  },
  'rebalance storm': {
    about: 'members come and go, by SIGTERM and `kill -9`, less than a second apart',
    inject: async (scene, random) => {
      const fromMs = now()
      for (let changes = random.between(3, 5); changes > 0; changes--) {
        const before = scene.members
        const joined = scene.start(null)
        await Promise.race([joined.ready, sleep(random.between(200, 1_500))])
        const leaving = random.pick([...before, joined])
        if (leaving.isWorking && random.chance(0.5)) await scene.drain(leaving)
        else await scene.kill(leaving)
      }
      return fromMs
    },
  },
  'answers delayed': {
    about: 'the answers of a broker to appends, or to everything, come up to 3 s late, for up to 6 s',
    inject: async (scene, random) => {
      const requests = random.pick([[produce], null])
      return await harm(scene, random, {
        kind: 'delay',
        requests,
        hits: () => random.chance(0.5),
        delayMs: () => random.between(100, 3_000),
      })
    },
  },
  'answers cut': {
    about: 'appends are carried out, and instead of an answer the connection ends, again and again for up to 6 s',
    inject: async (scene, random) =>
      await harm(scene, random, { kind: 'cut', requests: [produce], hits: () => random.chance(0.3), delayMs: () => 0 }),
  },
  'broker killed': {
    about: '`kill -9` of one of three brokers, which starts again: others lead',
    three: true,
    inject: async ({ cluster }, random) => {
      const node = random.pick(cluster.nodes)
      const fromMs = now()
      await node.kill()
      await sleep(random.between(500, 5_000))
      await cluster.start()
      return fromMs
    },
  },
  'coordinator killed': {
    about: '`kill -9` of the broker that keeps the group',
    three: true,
    inject: async (scene, random) => {
      const id = await groupCoordinator(scene.cluster.brokers, scene.group)
      const fromMs = now()
      await scene.cluster.nodes.find((node) => node.id === id)!.kill()
      await sleep(random.between(500, 5_000))
      await scene.cluster.start()
      return fromMs
    },
  },
  'broker hangs': {
    about:
      'SIGSTOP of one of three brokers for up to 10 s: it may lose what it leads, and come back believing otherwise',
    three: true,
    inject: async ({ cluster }, random) => {
      const node = random.pick(cluster.nodes)
      const fromMs = now()
      node.signal('SIGSTOP')
      await sleep(random.between(3_000, 10_000))
      node.signal('SIGCONT')
      return fromMs
    },
  },
  'rolling bounce': {
    about: 'one broker after the other is stopped in peace and started again',
    three: true,
    inject: async ({ cluster }) => {
      const fromMs = now()
      for (const node of cluster.nodes) {
        await node.stop()
        await cluster.start()
      }
      return fromMs
    },
  },
  'all brokers down': {
    about: '`kill -9` of all brokers, and a start after up to 60 s; the recovery counts from when they serve again',
    inject: async ({ cluster, downMsMax }, random) => {
      await cluster.kill()
      await sleep(random.between(200, random.chance(0.3) ? downMsMax : Math.min(downMsMax, 5_000)))
      await cluster.start()
      return now()
    },
  },
} as const satisfies Readonly<Record<string, Fault>>

/** Of Kafka's protocol. */
const produce = 0

async function harm(scene: Scene, random: Random, kind: Harm): Promise<number> {
  const fromMs = now()
  const proxies = random.chance(0.5) ? scene.proxies : [random.pick(scene.proxies)]
  const harmed = (): number => proxies.reduce((sum, proxy) => sum + proxy.harmed, 0)
  const before = harmed()
  for (const proxy of proxies) proxy.harm = kind
  await sleep(random.between(1_500, 6_000))
  // What harms nothing is no fault.
  for (let tries = 0; harmed() === before && tries < 600; tries++) await sleep(100)
  for (const proxy of proxies) proxy.harm = null
  return fromMs
}

export const faultKinds = Object.keys(faults) as FaultKind[]
