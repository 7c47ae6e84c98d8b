import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { kafkaPlace } from '../../src/cli/kafka-place.ts'

describe('where Kafka is, by options and environment', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-kafka-place-'))
  after(() => rm(folder, { recursive: true }))
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }

  test('is not asked of the environment unless --kafka is given', async () => {
    assert.equal(await kafkaPlace({}, { KAFKA_BROKERS: 'a:1' }), undefined)
    const place = await kafkaPlace({ kafka: true }, { KAFKA_BROKERS: 'a:1', KAFKA_NAMESPACE: 'shop' })
    assert.deepEqual([place?.options, place?.namespace?.name], [{ brokers: 'a:1' }, 'shop'])
  })

  test('takes secrets from files, without the line break at their end', async () => {
    const environment = {
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: 'alice',
      KAFKA_SASL_PASSWORD_FILE: await file('password', 'correct horse\n'),
      KAFKA_TLS_CA_FILE: await file('ca', 'authority\n'),
    }
    const place = await kafkaPlace({ kafka: 'a:1', kafkaReplication: '2' }, environment)
    assert.deepEqual(place?.options, {
      brokers: 'a:1',
      replication: 2,
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'alice', password: 'correct horse' },
      tls: { ca: 'authority' },
    })
  })

  test('reads a token anew each time, because it is renewed', async () => {
    const KAFKA_SASL_TOKEN_FILE = await file('token', 'first')
    const place = await kafkaPlace({ kafka: 'a:1' }, { KAFKA_SASL_MECHANISM: 'OAUTHBEARER', KAFKA_SASL_TOKEN_FILE })
    const { sasl } = place!.options
    assert.ok(sasl?.mechanism === 'OAUTHBEARER' && typeof sasl.token === 'function')
    assert.equal(await sasl.token(), 'first')
    await file('token', 'second')
    assert.equal(await sasl.token(), 'second')
  })

  test('says what is missing or misspelt, and never a secret', async () => {
    const refused = async (environment: Record<string, string>, message: RegExp): Promise<void> => {
      await assert.rejects(kafkaPlace({ kafka: 'a:1' }, environment), { code: 'KAFKA_OPTIONS_MALFORMED', message })
    }
    await refused({ KAFKA_SASL_MECHANISM: 'GSSAPI' }, /"GSSAPI"/)
    await refused({ KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_PASSWORD: 'x' }, /KAFKA_SASL_USERNAME is not set/)
    await refused({ KAFKA_TLS_KEY_FILE: join(folder, 'none') }, /KAFKA_TLS_KEY_FILE cannot be read/)
    await refused({ KAFKA_NAMESPACE: 'a b' }, /namespace "a b"/)
  })
})
