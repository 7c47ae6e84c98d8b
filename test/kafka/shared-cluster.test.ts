import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { entity, featureView, int, kafka, millrace, stream, timestamp } from '../../src/index.ts'
import { systemClock } from '../../src/base/clock.ts'
import { describeCluster } from '../../src/log/kafka/describe-cluster.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'
import { runKafkaTool } from '../../scripts/kafka/tool.ts'
import { type Finished, runCli } from '../cli/run-cli.ts'
import { reasonToSkip, useCluster } from './broker.ts'
import { connectForeignClient } from './foreign-client.ts'

/**
 * Goal: a cluster that others own as well is used as it is: `plan` says what `apply` would make there, `apply` makes that
 * and changes nothing, and `doctor` names what is wrong. Method: the real command line as a user who logs in, topics made
 * and bent by Kafka's own tools.
 */
const skip = await reasonToSkip()
const definitions = join(import.meta.dirname, '../cli/definitions.ts')

describe('a cluster shared with others', { skip }, async () => {
  if (skip !== false) return
  const cluster = await useCluster({ users: { alice: 'correct horse', bob: 'correct horse' } })
  const folder = await mkdtemp(join(tmpdir(), 'millrace-shared-'))
  after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'password'), 'correct horse\n')
  const foreign = await connectForeignClient(cluster.brokers)
  const tool = (name: string, ...args: string[]): Promise<string> =>
    runKafkaTool(name, ['--bootstrap-server', cluster.brokers, ...args])
  const allow = (user: string, ...args: string[]): Promise<string> =>
    tool('AclCommand', '--add', '--allow-principal', `User:${user}`, ...args)
  await allow('alice', '--operation', 'All', '--topic', '*', '--group', '*', '--cluster')
  const cli = async (user: string, command: string, ...args: string[]): Promise<Finished> => {
    const where = ['--kafka', cluster.secure!.sasl, '--folder', join(folder, user)]
    return await runCli([...command.split(' '), ...args, ...where], '', {
      KAFKA_NAMESPACE: 'shop',
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: user,
      KAFKA_SASL_PASSWORD_FILE: join(folder, 'password'),
    })
  }

  test('plan shows the topics that apply then creates, and apply leaves those that are there as they are', async () => {
    const settings = ['--config', 'retention.ms=864000000', '--config', 'min.insync.replicas=1']
    await tool('TopicCommand', '--create', '--topic', 'payments', '--partitions', '2', ...settings)
    const planned = await cli('alice', 'plan', definitions, '--kafka-replication', '1')
    const topics = planned.stdout.slice(planned.stdout.indexOf('topics in Kafka'))
    assert.match(topics, /keep +payments: 2 partitions, 1 copy, delete, kept for 10d\n +partitions 2 instead of 4\n/)
    assert.match(topics, /retention\.ms 864000000 instead of -1/)
    assert.match(topics, /create +shop\.dead-letter-queue: 4 partitions, 1 copy, delete, kept for ever/)
    assert.match(topics, /create +shop\.plan-registry: 1 partition, /)

    const refused = await cli('alice', 'apply', definitions, '--kafka-replication', '1')
    assert.match(refused.stderr, /RETENTION_SHORT/)
    await foreign.setConfig('payments', 'retention.ms', '3456000000')
    const applied = await cli('alice', 'apply', definitions, '--kafka-replication', '1')
    assert.equal(applied.code, 0, applied.stderr)
    const own = ['dead-letter-queue', 'forgotten-entities', 'late-events', 'model-registry', 'plan-registry']
    const names = own.map((one) => `shop.${one}`)
    const { topics: found } = await describeCluster({ brokers: cluster.brokers, clock: systemClock })
    const made = found.filter(({ topic }) => !topic.startsWith('__'))
    assert.deepEqual(made.map(({ topic }) => topic).sort(), ['payments', ...names])
    const { partitions, configs } = made.find(({ topic }) => topic === 'payments')!
    assert.deepEqual([partitions, configs['retention.ms']], [2, '3456000000'])

    const again = JSON.parse((await cli('alice', 'plan', definitions, '--kafka-replication', '1', '--json')).stdout)
    assert.deepEqual(new Set(again.topics.map(({ action }: { action: string }) => action)), new Set(['keep']))
    assert.match((await cli('alice', 'versions')).stdout, /1 .*applied/)
  })

  test('what is there can be looked at without the process that computes it', async () => {
    const at = new Date(Date.now() - 60_000).toISOString()
    const event = JSON.stringify({ paymentId: 'p1', customerId: 7, amount: 12.5, at })
    const timestampMs = Date.parse(at)
    const records = [event, 'no event'].map((value) => ({ key: null, value: Buffer.from(value), timestampMs }))
    const place = kafka(cluster.brokers, { namespace: 'shop', replication: 1 })
    const mill = await millrace({ folder: join(folder, 'alice'), log: place })
    await mill.log.append('payments', 1, records)
    await mill.caughtUp()
    await mill.close()
    const listed = await cli('alice', 'dlq list')
    assert.match(listed.stdout, /payments/)
    const replayed = await cli('alice', 'dlq replay', '--all', '--offline')
    assert.match(replayed.stdout, /payments\/1@1 +payments +refused/, replayed.stderr)
    const read = await cli('alice', 'read', 'dead-letter-queue')
    assert.match(read.stdout, /no event/)
    const args = ['spending', 'payments_1d', 'customerId=7', '--as-of', new Date().toISOString()]
    const explained = await cli('alice', 'explain', definitions, ...args)
    assert.match(explained.stdout, /p1/, explained.stderr)
  })

  test('doctor finds it well, then names each thing that is not', async () => {
    const well = await cli('alice', 'doctor', '--kafka-replication', '1')
    assert.equal(well.code, 0, well.stdout)
    for (const line of [
      /broker 1 at \S+: it answers, and has groups by KIP-848/,
      /retention of payments: .*kept for 40d/,
    ]) {
      assert.match(well.stdout, line)
    }
    assert.match(well.stdout, /lag payments\/1: none/)

    await foreign.setConfig('payments', 'retention.ms', '60000')
    await foreign.setConfig('shop.late-events', 'min.insync.replicas', '2')
    await foreign.setConfig('shop.dead-letter-queue', 'cleanup.policy', 'compact')
    await foreign.deleteTopic('shop.forgotten-entities')
    const future = { key: null, value: Buffer.from('{}'), timestampMs: Date.now() + 3_600_000 }
    const writer = await openKafkaLog({ brokers: cluster.brokers, clock: systemClock })
    await writer.append('payments', 0, [future])
    await writer.close()
    await allow('bob', '--operation', 'Read', '--operation', 'DescribeConfigs', '--topic', '*')
    const ill = await cli('bob', 'doctor', '--kafka-replication', '1')
    assert.equal(ill.code, 1)
    for (const line of [
      /fault +retention of payments: .*kept for 1m/,
      /fault +topic shop\.late-events: min\.insync\.replicas is 2 and there are 1 copies/,
      /fault +topic shop\.dead-letter-queue: cleanup\.policy is compact/,
      /fault +topic shop\.forgotten-entities: it is not there/,
      /fault +topic shop\.plan-registry: this client may not write it/,
      /warning +topic payments: this client may not write it/,
      /warning +clock against payments: its newest record is \w+ ahead of the clock here/,
    ]) {
      assert.match(ill.stdout, line)
    }
  })

  test('doctor says so when nobody answers', async () => {
    const { stdout, code } = await runCli(['doctor', '--kafka', '127.0.0.1:1', '--folder', join(folder, 'none')])
    assert.match(stdout, /fault +cluster: could not reach Kafka at 127\.0\.0\.1:1/)
    assert.equal(code, 1)
  })

  for (const policy of ['delete', 'compact']) {
    test(`a topic of somebody else's (${policy}), with keys of theirs, is a stream as it is`, async () => {
      const topic = `foreign-${policy}`
      await tool(
        'TopicCommand',
        '--create',
        '--topic',
        topic,
        '--partitions',
        '3',
        '--config',
        `cleanup.policy=${policy}`,
      )
      const clicks = stream(topic.replace('-', '_'), {
        topic,
        fields: { user: int(), at: timestamp('ms') },
        time: 'at',
        lateness: '1m',
      })
      const view = featureView(`clicking_${policy}`, {
        from: clicks,
        by: entity('user', { user: int() }),
        features: (on) => ({ clicks: on.count({ over: '1h' }) }),
      })
      const now = Date.now()
      const mill = await millrace({
        folder: join(folder, topic),
        definitions: [view],
        log: kafka(cluster.brokers, { namespace: policy, replication: 1 }),
      })
      for (let index = 0; index < 9; index++) {
        const value = Buffer.from(JSON.stringify({ user: 5, at: now + index }))
        // Keys and places that are none of ours.
        await mill.log.append(topic, index % 3, [{ key: Buffer.from(`k${index}`), value, timestampMs: now }])
      }
      await mill.caughtUp()
      assert.equal((await mill.get(view, { user: 5 }, { asOf: 'latest' })).clicks, 9)
      await mill.close()
    })
  }
})
