import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCli, startServer } from '../cli/run-cli.ts'
import { reasonToSkip, useCluster } from './broker.ts'
import { connectForeignClient } from './foreign-client.ts'

/**
 * Goal: a cluster's work can be parted among processes by what they do. Method: three real command lines, one role each;
 * an event that the first one takes is read from the third.
 */
const skip = await reasonToSkip()
const definitions = join(import.meta.dirname, '../cli/definitions.ts')

describe('roles', { skip }, async () => {
  if (skip !== false) return
  const { brokers } = await useCluster()
  const foreign = await connectForeignClient(brokers)
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

  test('a member of a group does what falls to it, and the topics of the work are shown and checked', async () => {
    const args = ['--group', 'shop', '--instance-id', 'one', '--partitions', '2', ...at('member')]
    const { address, process: child } = await startServer('start', args)
    const time = new Date(Date.now() - 1_000).toISOString()
    const event = JSON.stringify({ paymentId: 'p2', customerId: 8, amount: 21.5, at: time })
    const sent = await runCli(['send', 'payments', '--url', address], event)
    assert.equal(sent.code, 0, sent.stderr)
    const read = async (): Promise<string> =>
      (await runCli(['get', 'spending', 'customerId=8', '--url', address])).stdout
    for (let tries = 0; tries < 100 && !/21\.5/.test(await read()); tries++) await sleep(100)
    assert.match(await read(), /21\.5/)
    child.kill('SIGTERM')
    await once(child, 'close')

    const planned = await runCli(['plan', definitions, ...at('apply')])
    assert.match(planned.stdout, /keep +processed-events\.customer: 8 partitions, 1 copy, delete, kept for 7d/)
    assert.match(planned.stdout, /keep +feature-state\.customer: 8 partitions, 1 copy, compact, kept for ever/)
    assert.match(planned.stdout, /keep +ingest-state\.payments: 2 partitions, /)
    await foreign.setConfig('ingest-state.payments', 'cleanup.policy', 'delete')
    const doctor = await runCli(['doctor', ...at('apply')])
    assert.match(doctor.stdout, /topic feature-state\.customer: there is one copy/)
    assert.match(doctor.stdout, /fault +topic ingest-state\.payments: cleanup\.policy is delete/)
  })

  test('a role that is none, or without Kafka, is refused', async () => {
    const folderOnly = await runCli(['start', '--role', 'serve', '--folder', join(folder, 'none')])
    assert.match(folderOnly.stderr, /--role is given without --kafka/)
    const unknown = await runCli(['start', '--role', 'serve,brew', ...at('none')])
    assert.match(unknown.stderr, /--role has "brew"/)
    const alone = await runCli(['start', '--group', 'shop', '--folder', join(folder, 'none')])
    assert.match(alone.stderr, /--group is given without --kafka/)
    const nobody = await runCli(['start', '--instance-id', 'one', ...at('none')])
    assert.match(nobody.stderr, /--instance-id is given without --group/)
  })
})
