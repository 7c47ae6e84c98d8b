import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { runKafkaTool } from '../../scripts/kafka/tool.ts'
import { reasonToSkip, useCluster } from './broker.ts'

/**
 * Goal: what the other Kafka tests stand on does what it says: a real broker that serves when it is said to, survives
 * kill -9 with its topics, and shows its log when it cannot start. Method: Kafka's own console tools look at it.
 */
describe('a broker for tests', { skip: await reasonToSkip() }, () => {
  test('serves, keeps its topics and its port through kill -9, and ends', async () => {
    const cluster = await useCluster()
    const topics = (...args: string[]): Promise<string> =>
      runKafkaTool('TopicCommand', ['--bootstrap-server', cluster.brokers, ...args])
    await topics('--create', '--topic', 'kept', '--partitions', '2')
    const before = cluster.nodes[0]!.pid
    assert.ok(before !== null)
    await cluster.kill()
    assert.equal(cluster.nodes[0]!.pid, null)
    assert.throws(() => process.kill(before, 0), { code: 'ESRCH' })
    await cluster.start()
    assert.match(await topics('--describe', '--topic', 'kept'), /PartitionCount: 2/)
    await cluster.stop()
    assert.equal(cluster.nodes[0]!.pid, null)
  })

  test('shows the end of its log when it cannot start', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    await assert.rejects(useCluster({ port }), /node 1 has ended\n[^]*(Address already in use|BindException)/)
    taken.close()
  })
})
