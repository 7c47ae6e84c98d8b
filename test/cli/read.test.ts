// Goal: whoever has a data folder and a terminal can see what lies in any topic.
// Method: a folder with a view that emits, made in this process; the real command line on it.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { entity, featureView, int, millrace, stream, string, timestamp } from '../../src/index.ts'
import { runCli } from './run-cli.ts'

const clicks = stream('clicks', {
  fields: { id: string(), user: int(), at: timestamp() },
  time: 'at',
  id: 'id',
  lateness: '1m',
})
const byUser = featureView('by_user', {
  from: clicks,
  by: entity('user', { user: int() }),
  emit: 'event',
  features: (on) => ({ clicks_1h: on.count({ over: '1h' }) }),
})

let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-read-'))
  const mill = await millrace({ definitions: [byUser], folder, partitions: 2 })
  for (let minute = 0; minute < 5; minute++) {
    await mill.send(clicks, { id: `c${minute}`, user: 7, at: `2024-01-01T10:0${minute}:00Z` })
  }
  await mill.ingest('clicks', [Buffer.from([0x7b, 0xff, 0x1b])])
  await mill.caughtUp()
  await mill.close()
})

after(() => rm(folder, { recursive: true, force: true }))

const read = (...args: string[]) => runCli(['read', ...args, '--folder', folder])

test('without a topic it lists them all', async () => {
  const { code, stdout } = await read()
  assert.equal(code, 0)
  assert.match(stdout, /^topic +partitions +records\n/)
  assert.match(stdout, /\nfeature-events\.by_user +2 +5\n/)
  assert.match(stdout, /\ndead-letter-queue +2 +1\n/)
})

test('it prints the newest records, a line each, oldest first', async () => {
  const { code, stdout } = await read('feature-events.by_user', '--limit', '2')
  assert.equal(code, 0)
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines.length, 2)
  assert.match(lines[0]!, /^[01]@3 {2}2024-01-01T10:03:00.000Z {2}\{"user":7\} {2}\{"view":"by_user".*"clicks_1h":4/)
  assert.match(lines[1]!, /^[01]@4 .*"clicks_1h":5/)
})

test('it prints the first records from an offset on', async () => {
  const { stdout } = await read('feature-events.by_user', '--from', '1', '--limit', '2')
  assert.deepEqual(
    [...stdout.matchAll(/"clicks_1h":(\d)/g)].map(([, count]) => count),
    ['2', '3'],
  )
  const { stdout: none } = await read('feature-events.by_user', '--from', '9')
  assert.equal(none, 'no records\n')
})

test('--json has what a record says as JSON, and what is no text as base64', async () => {
  type Shown = {
    readonly value: { readonly features?: unknown; readonly base64?: string }
    readonly headers: unknown[]
  }
  const shown = JSON.parse((await read('feature-events.by_user', '--limit', '1', '--json')).stdout) as Shown[]
  assert.deepEqual(shown[0]!.value.features, { clicks_1h: 5 })
  assert.deepEqual(shown[0]!.headers[0], { name: 'millrace.stream', value: 'clicks' })
  const [dead] = JSON.parse((await read('dead-letter-queue', '--json')).stdout) as Shown[]
  assert.deepEqual(dead!.value, { base64: Buffer.from([0x7b, 0xff, 0x1b]).toString('base64') })
  assert.match((await read('dead-letter-queue')).stdout, /\(3 bytes, not UTF-8\)/)
})

test('a topic or partition that is not there is a fault that says what is', async () => {
  const unknown = await read('feature-events.by_usr')
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /LOG_TOPIC_UNKNOWN: .*\n.*feature-events\.by_user/)
  assert.match((await read('clicks', '--partition', '2')).stderr, /LOG_PARTITION_UNKNOWN: .*\n.*2 partitions/)
  assert.match((await read('clicks', '--from', '-1')).stderr, /REQUEST_MALFORMED: .*--from/)
})
