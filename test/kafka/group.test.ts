import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { MillraceError } from '../../src/base/faults.ts'
import type { GroupOptions, GroupPartition, GroupProtocol } from '../../src/log/kafka/group/group-options.ts'
import { joinGroup, type Membership } from '../../src/log/kafka/group/join-group.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'
import { reasonToSkip, useCluster } from './broker.ts'
import { openHangingProxy } from './hanging-proxy.ts'

/**
 * Goal: every partition has one owner, and no moment has two, whoever comes, goes, dies or hangs. Method: members in
 * this process note who owns what, and a second owner of a partition is noticed at once; a proxy cuts off one of them.
 */
const skip = await reasonToSkip()
const sessionMs = 2_000

describe('members of a group', { skip }, async () => {
  if (skip !== false) return
  const proxy = await openHangingProxy()
  const cluster = await useCluster({
    properties: {
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxy.port}`,
      'group.consumer.min.session.timeout.ms': '1000',
      'group.consumer.session.timeout.ms': String(sessionMs),
      'group.consumer.min.heartbeat.interval.ms': '100',
      'group.consumer.heartbeat.interval.ms': '300',
      'group.min.session.timeout.ms': '1000',
    },
  })
  const { brokers } = cluster
  proxy.broker = Number(brokers.split(':')[1])
  const log = await openKafkaLog({ brokers, clock: systemClock, replication: 1 })
  const partitions = 4
  const topics = ['processed-events.customer', 'processed-events.terminal']
  for (const topic of topics) await log.createTopic(topic, { partitions })
  after(() => log.close())

  for (const protocol of ['consumer', 'classic'] as const) {
    describe(`by the ${protocol} protocol`, () => {
      const begin = (): Scene => new Scene(brokers, protocol, topics, topics.length * partitions)

      test('one after the other get their share of both topics, and leave it to the others', async () => {
        const scene = begin()
        const first = await scene.join()
        await scene.balanced(8)
        const second = await scene.join()
        await scene.balanced(4, 4)
        const third = await scene.join()
        await scene.balanced(3, 3, 2)
        await first.leave()
        await scene.balanced(4, 4)
        assert.equal(await first.ended, null)
        assert.equal(first.holds, true, 'it left by itself')
        await second.leave()
        await scene.balanced(8)
        await third.leave()
        assert.equal(scene.owners.size, 0)
      })

      test('who comes gets nothing before the owner has let go of it', async () => {
        const scene = begin()
        const [asked, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
        const onRevoked = (): Promise<void> => {
          asked.resolve()
          return letGo.promise
        }
        await scene.join({ onRevoked })
        await scene.balanced(8)
        await scene.join()
        await asked.promise
        await sleep(1_000)
        assert.deepEqual(scene.shares(), [8])
        letGo.resolve()
        await scene.balanced(4, 4)
        await scene.end()
      })

      test('who is cut off has let go before anybody else owns it, and comes back', async (t) => {
        t.after(() => proxy.resume())
        const scene = begin()
        await scene.join()
        // Its connections are not to be marked.
        await scene.balanced(8)
        await sleep(500)
        const cut = await proxy.mark(async () => {
          const member = await scene.join()
          await scene.balanced(4, 4)
          return member
        })
        proxy.hang()
        await scene.balanced(8)
        assert.equal(cut.holds, false)
        assert.equal(scene.lost, 4)
        proxy.resume()
        await scene.balanced(4, 4)
        assert.equal(cut.holds, true)
        await scene.end()
      })

      test('a storm of members coming and going ends with one owner for each partition', async () => {
        const scene = begin()
        const members = await Promise.all(Array.from({ length: 5 }, () => scene.join()))
        for (let round = 0; round < 6; round++) {
          await sleep(50 * round)
          await Promise.all([members.shift()!.leave(), scene.join().then((member) => members.push(member))])
        }
        await scene.balanced(2, 2, 2, 1, 1)
        await scene.end()
      })

      test('a static member that comes back has what it had, and nobody else moves', async () => {
        const scene = begin()
        const first = await scene.join({ instanceId: 'one' })
        await scene.join({ instanceId: 'two' })
        await scene.balanced(4, 4)
        const before = first.owned.map(nameOf).sort()
        const moves = scene.assigned
        await first.leave()
        await sleep(300)
        const again = await scene.join({ instanceId: 'one' })
        await scene.balanced(4, 4)
        assert.deepEqual(again.owned.map(nameOf).sort(), before)
        assert.equal(scene.assigned, moves + 4)
        await scene.end()
      })

      test('what a callback throws ends the membership, and the others get its share', async () => {
        const scene = begin()
        await scene.join()
        await scene.balanced(8)
        const failing = await scene.join({ onAssigned: () => Promise.reject(new Error('no room')) })
        assert.equal((await failing.ended)?.message, 'no room')
        await scene.balanced(8)
        await scene.end()
      })
    })
  }

  test('of two with one instance id the one before is refused', async () => {
    const [first, second] = ['first', 'second'].map(() => new Scene(brokers, 'classic', topics, 8, 'twins'))
    const before = await first!.join({ instanceId: 'same' })
    await first!.balanced(8)
    await second!.join({ instanceId: 'same' })
    const fault = await before.ended
    assert.ok(fault instanceof MillraceError && fault.code === 'KAFKA_GROUP_REFUSED', String(fault))
    assert.equal(first!.lost, 8)
    await second!.balanced(8)
    await second!.end()
  })

  test('the coordinator may be killed and come back: members go on as they were, or begin anew', async () => {
    const scenes = (['consumer', 'classic'] as const).map((protocol) => new Scene(brokers, protocol, topics, 8))
    for (const scene of scenes) for (let count = 0; count < 2; count++) await scene.join()
    for (const scene of scenes) await scene.balanced(4, 4)
    await cluster.kill()
    await sleep(sessionMs)
    for (const scene of scenes) assert.equal(scene.owners.size, 0, 'nobody believes what nobody can confirm')
    await cluster.start()
    for (const scene of scenes) await scene.balanced(4, 4)
    for (const scene of scenes) await scene.end()
  })
})

/** A group of its own, and who owns what in it by what its members were told. */
class Scene {
  readonly owners = new Map<string, number>()
  assigned = 0
  lost = 0
  readonly #members: Membership[] = []
  readonly #options: Pick<GroupOptions, 'group' | 'topics' | 'protocol' | 'sessionMs'>
  readonly #brokers: string
  readonly #count: number
  #doubled: string[] = []

  constructor(
    brokers: string,
    protocol: GroupProtocol,
    topics: readonly string[],
    count: number,
    group = `group-${randomUUID()}`,
  ) {
    this.#brokers = brokers
    this.#options = { group, topics, protocol, sessionMs }
    this.#count = count
  }

  async join(more: Partial<Pick<GroupOptions, 'instanceId' | 'onAssigned' | 'onRevoked'>> = {}): Promise<Membership> {
    const me = this.#members.length
    const member = await joinGroup({
      brokers: this.#brokers,
      clock: systemClock,
      ...this.#options,
      ...more,
      onAssigned: async (partitions, lost) => {
        await more.onAssigned?.(partitions, lost)
        this.assigned += partitions.length
        for (const name of partitions.map(nameOf)) {
          if (this.owners.has(name)) this.#doubled.push(`${name} of ${this.owners.get(name)} and ${me}`)
          this.owners.set(name, me)
        }
      },
      onRevoked: async (partitions, why) => {
        await more.onRevoked?.(partitions, why)
        if (why === 'lost') this.lost += partitions.length
        for (const name of partitions.map(nameOf)) this.owners.delete(name)
      },
    })
    this.#members.push(member)
    after(() => member.leave())
    return member
  }

  shares(): number[] {
    const counts = new Map<number, number>()
    for (const owner of this.owners.values()) counts.set(owner, (counts.get(owner) ?? 0) + 1)
    return [...counts.values()].sort((a, b) => b - a)
  }

  /** Waits until members own so many each, and looks whether it stays so. */
  async balanced(...expected: number[]): Promise<void> {
    assert.equal(
      expected.reduce((sum, count) => sum + count),
      this.#count,
    )
    const isSo = (): boolean => this.shares().join() === expected.join()
    for (let tries = 0; tries < 600 && !isSo(); tries++) await sleep(25)
    assert.deepEqual([this.shares(), this.#doubled], [expected, []])
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.leave()))
    assert.deepEqual([[...this.owners], this.#doubled], [[], []])
  }
}

function nameOf({ topic, partition }: GroupPartition): string {
  return `${topic}/${partition}`
}
