import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCli, startServer } from '../cli/run-cli.ts'
import { reasonToSkip, useCluster } from './broker.ts'

/**
 * Goal: a cluster's work can be parted among processes by what they do. Method: three real command lines, one role each;
 * an event that the first one takes is read from the third.
 */
const skip = await reasonToSkip()
const definitions = join(import.meta.dirname, '../cli/definitions.ts')

describe('roles', { skip }, async () => {
  if (skip !== false) return
  const { brokers } = await useCluster()
  const folder = await mkdtemp(join(tmpdir(), 'millrace-roles-'))
  after(() => rm(folder, { recursive: true }))
  const at = (name: string): string[] => [
    '--kafka',
    brokers,
    '--kafka-replication',
    '1',
    '--folder',
    join(folder, name),
  ]

  test('what one process takes and another folds, a third one serves', async () => {
    const applied = await runCli(['apply', definitions, '--partitions', '2', ...at('apply')])
    assert.equal(applied.code, 0, applied.stderr)
    const names = ['ingest', 'compute', 'serve'] as const
    const started = names.map((role) => startServer('start', ['--role', role, '--partitions', '2', ...at(role)]))
    const [ingest, , serve] = await Promise.all(started)
    const time = new Date(Date.now() - 1_000).toISOString()
    const event = JSON.stringify({ paymentId: 'p1', customerId: 7, amount: 12.5, at: time })
    const sent = await runCli(['send', 'payments', '--url', ingest!.address], event)
    assert.equal(sent.code, 0, sent.stderr)
    const read = async (): Promise<string> => {
      const body = JSON.stringify({ service: 'spending', entities: [{ customerId: 7 }] })
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${serve!.address}/v1/features`, { method: 'POST', headers, body })
      return await response.text()
    }
    for (let tries = 0; tries < 200 && !/12\.5/.test(await read()); tries++) await sleep(100)
    assert.match(await read(), /12\.5/)
    for (const { process: child } of await Promise.all(started)) {
      child.kill('SIGTERM')
      const [code] = (await once(child, 'close')) as [number]
      assert.equal(code, 0)
    }
  })

  test('a role that is none, or without Kafka, is refused', async () => {
    const folderOnly = await runCli(['start', '--role', 'serve', '--folder', join(folder, 'none')])
    assert.match(folderOnly.stderr, /--role is given without --kafka/)
    const unknown = await runCli(['start', '--role', 'serve,brew', ...at('none')])
    assert.match(unknown.stderr, /--role has "brew"/)
  })
})
