import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { runKafkaTool } from '../../scripts/kafka/tool.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'
import type { KafkaOptions, KafkaSasl } from '../../src/log/kafka/kafka-options.ts'
import type { Log } from '../../src/log/log.ts'
import { numbered, readAll, values } from '../conformance/log.ts'
import { reasonToSkip, useCluster } from './broker.ts'

/**
 * Goal: every way in that a cluster may ask for works, and what it refuses says who was refused what. Method: a broker
 * with a listener for each kind, two users, and ACLs for one of them.
 */
const skip = await reasonToSkip()
const password = 'correct horse'

describe('a cluster that asks who comes', { skip }, async () => {
  if (skip !== false) return
  const cluster = await useCluster({ users: { alice: password, bob: password } })
  const { sasl, tls, saslTls, security } = cluster.secure!
  const acls = (...args: string[]): Promise<string> =>
    runKafkaTool('AclCommand', ['--bootstrap-server', cluster.brokers, '--add', ...args])
  const everything = ['--operation', 'All', '--topic', '*', '--cluster']
  await acls('--allow-principal', 'User:alice', '--allow-principal', 'User:CN=client', ...everything)
  await acls(
    '--allow-principal',
    'User:bob',
    '--operation',
    'Describe',
    '--operation',
    'DescribeConfigs',
    '--topic',
    '*',
  )

  const options = (more: KafkaOptions): Parameters<typeof openKafkaLog>[0] => ({
    clock: systemClock,
    replication: 1,
    ...more,
  })
  const works = async (more: KafkaOptions): Promise<void> => {
    const log: Log = await openKafkaLog(options(more))
    const topic = `secured-${randomUUID()}`
    await log.createTopic(topic, { partitions: 1 })
    await log.append(topic, 0, numbered(0, 2))
    assert.deepEqual(values(await readAll(log, topic)), ['0', '1'])
    await log.close()
  }
  const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
  const as = (
    username: string,
    mechanism: (typeof mechanisms)[number] = 'SCRAM-SHA-512',
    word = password,
  ): KafkaSasl => ({
    mechanism,
    username,
    password: word,
  })

  for (const mechanism of mechanisms) {
    test(`lets a user in with ${mechanism}, in the clear and over TLS`, async () => {
      await works({ brokers: sasl, sasl: as('alice', mechanism) })
      await works({ brokers: saslTls, sasl: as('alice', mechanism), tls: { ca: security.certificate } })
    })

    test(`refuses a wrong password with ${mechanism}`, async () => {
      const wrong = openKafkaLog(options({ brokers: sasl, sasl: as('alice', mechanism, 'wrong') }))
      const message = new RegExp(`user "alice" with ${mechanism}`)
      await assert.rejects(wrong, { code: 'KAFKA_AUTHENTICATION_REFUSED', message })
    })
  }

  test('lets a client in by its certificate, and nobody without one', async () => {
    await works({ brokers: tls, tls: { ca: security.certificate, ...security.client } })
    const without = openKafkaLog(options({ brokers: tls, tls: { ca: security.certificate } }))
    await assert.rejects(without, { code: 'KAFKA_UNREACHABLE' })
  })

  test('is not trusted without its certificate', async () => {
    const distrusted = openKafkaLog(options({ brokers: saslTls, sasl: as('alice'), tls: {} }))
    await assert.rejects(distrusted, { code: 'KAFKA_UNREACHABLE', message: /self.signed/ })
  })

  test('says that TLS is missing, or that there is none', async () => {
    await assert.rejects(openKafkaLog(options({ brokers: saslTls, sasl: as('alice') })), { code: 'KAFKA_UNREACHABLE' })
    const superfluous = openKafkaLog(options({ brokers: sasl, sasl: as('alice'), tls: { ca: security.certificate } }))
    await assert.rejects(superfluous, { code: 'KAFKA_UNREACHABLE' })
  })

  test('lets a token in that the broker can check', async () => {
    // The broker's own check for development takes tokens without a signature.
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const nowSeconds = Math.floor(Date.now() / 1_000)
    const token = `${part({ alg: 'none' })}.${part({ sub: 'alice', iat: nowSeconds, exp: nowSeconds + 600 })}.`
    await works({ brokers: sasl, sasl: { mechanism: 'OAUTHBEARER', token: () => token } })
  })

  test('says which ACL is missing for creating, writing and reading', async () => {
    const topic = `granted-${randomUUID()}`
    const alice = await openKafkaLog(options({ brokers: sasl, sasl: as('alice') }))
    await alice.createTopic(topic, { partitions: 1 })
    await alice.append(topic, 0, numbered(0, 1))
    await alice.close()
    const bob = await openKafkaLog(options({ brokers: sasl, sasl: as('bob') }))
    const denied =
      (action: string, operation: string, name: string) => (error: Error & { code?: string; hint?: string }) => {
        assert.equal(error.code, 'KAFKA_ACCESS_DENIED')
        assert.match(error.message, new RegExp(`user "bob" to ${action} topic "${name}"`))
        assert.match(error.hint ?? '', new RegExp(`--operation ${operation} --topic ${name}`))
        return true
      }
    await assert.rejects(bob.createTopic('forbidden', { partitions: 1 }), denied('create', 'Create', 'forbidden'))
    await assert.rejects(bob.append(topic, 0, numbered(0, 1)), denied('write', 'Write', topic))
    await assert.rejects(bob.read(topic, 0, 0, 100), denied('read', 'Read', topic))
    await bob.close()
  })
})
