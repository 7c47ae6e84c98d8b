// Goal: what the registry's own words are is what we take them for: numbers, unknown numbers, references, subjects.
// Method: a real registry that speaks Confluent's API, Apicurio Registry, started from Maven Central.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { type ApicurioRegistry, missingForRegistry, startApicurio } from '../../../scripts/schema-registry/apicurio.ts'
import { SchemaRegistry } from '../../../src/app/schemas/schema-registry.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { millrace } from '../../../src/index.ts'
import { readSchema } from '../../../src/plan/writer-schemas.ts'
import { confluent, registeredSchema, spendingFrom } from './avro-stream.ts'

async function withApicurio(use: (registry: ApicurioRegistry) => Promise<void>): Promise<void> {
  const registry = await startApicurio()
  const killNow = (): void => void process.kill(registry.pid, 'SIGKILL')
  // The runner ends a file that takes too long with SIGTERM, and then nothing below runs.
  const killAndExit = (): void => {
    killNow()
    process.exit(1)
  }
  process.once('exit', killNow)
  process.once('SIGTERM', killAndExit)
  try {
    await use(registry)
  } finally {
    process.off('exit', killNow)
    process.off('SIGTERM', killAndExit)
    await registry.stop()
  }
}

async function register(url: string, subject: string, schema: unknown, more: object = {}): Promise<number> {
  const answer = await fetch(`${url}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema), ...more }),
  })
  const { id } = (await answer.json()) as { id: number }
  assert.equal(answer.status, 200)
  return id
}

const missing = await missingForRegistry()
if (missing !== null && process.env['CI'] !== undefined) throw new Error(`${missing}: CI has to run these tests`)

test('with a real registry, a stream in Avro is read, and a number that it learns of later', {
  skip: missing ?? false,
}, async () => {
  await withApicurio(async ({ url }) => {
    const registry = new SchemaRegistry({ url, authorization: null }, systemClock)
    const id = await register(url, 'payments-value', registeredSchema)
    assert.equal(readSchema((await registry.schema(id))!).kind, 'record')
    assert.equal(await registry.schema(id + 1_000), null)
    assert.equal(await registry.latest('nobody-value'), null)
    assert.equal(readSchema((await registry.latest('payments-value'))!).kind, 'record')

    const order = { type: 'record', name: 'Order', fields: [{ name: 'payment', type: 'shop.Payment' }] }
    const references = [{ name: 'shop.Payment', subject: 'payments-value', version: 1 }]
    const referring = (await registry.schema(await register(url, 'orders-value', order, { references })))!
    assert.equal(referring.references.length, 1)
    assert.equal(readSchema(referring).kind, 'record')

    const folder = await mkdtemp(join(tmpdir(), 'millrace-apicurio-'))
    const { service } = spendingFrom(url)
    const mill = await millrace({ definitions: [service], folder, partitions: 1, schemas: { askAgainMs: 0 } })
    try {
      const atMs = Date.now()
      const produce = async (number: number, payment: string, cents: number): Promise<void> => {
        const value = confluent(number, { id: payment, customer: 7, cents, atMs })
        await mill.log.append('payments', 0, [{ key: null, value, timestampMs: atMs }])
        await mill.caughtUp()
      }
      const later = { ...registeredSchema, doc: 'the same once more, under a number of its own' }
      await produce(id, 'a', 100)
      // The numbers are given one after another: the next one is not there yet.
      const next = referring.references.length + id + 1
      await produce(next, 'b', 200)
      assert.deepEqual(mill.counts.sources[0]!.refused, 1)
      assert.equal(await register(url, 'payments-value', later), next)
      await produce(next, 'c', 400)
      assert.deepEqual(mill.read('shop', { customerId: 7 }, { asOf: atMs + 1 }).values, [2, 5, 0])
    } finally {
      await mill.close()
      await rm(folder, { recursive: true })
    }
  })
})
