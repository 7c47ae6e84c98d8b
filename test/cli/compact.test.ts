// Goal: `millrace compact` says what it did, and what remains. Method: the real program on a folder that was closed.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { entity, featureView, int, millrace, stream, timestamp } from '../../src/index.ts'
import { runCli } from './run-cli.ts'

const visits = stream('visits', { fields: { user: int(), at: timestamp('ms') }, time: 'at', lateness: '1m' })
const user = entity('user', { user: int() })
const byUser = featureView('by_user', { from: visits, by: user, features: (on) => ({ n: on.count({ over: '1h' }) }) })

test('compact says what it replaced, and once more that there is nothing to do', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-cli-compact-'))
  try {
    const mill = await millrace({ definitions: [byUser], folder, partitions: 1 })
    const never = await runCli(['compact', '--folder', folder])
    assert.equal(never.code, 1)
    assert.match(never.stderr, /^FOLDER_IN_USE/)
    await mill.send(visits, [
      { user: 7, at: 1_000 },
      { user: 8, at: 2_000 },
    ])
    await mill.ingest('visits', [Buffer.from('{"user":7')])
    await mill.caughtUp()
    await mill.forget('user', { user: 7 })
    await mill.close()
    const first = await runCli(['compact', '--folder', folder])
    assert.deepEqual([first.code, first.stderr], [0, ''])
    assert.match(first.stdout, /^topic +searched +replaced +not searchable\n/)
    assert.match(first.stdout, /^visits +3 +1 +1$/m)
    assert.match(first.stdout, /^dead-letter-queue +1 +0 +1$/m)
    assert.match(first.stdout, /^1 record replaced; the next start rebuilds the state from the log$/m)
    const second = await runCli(['compact', '--folder', folder, '--json'])
    const { changed, forgotten } = JSON.parse(second.stdout) as { changed: boolean; forgotten: number }
    assert.deepEqual([second.code, changed, forgotten], [0, false, 1])
    const third = await runCli(['compact', '--folder', folder])
    assert.match(third.stdout, /^nothing to do: all that can be found of what was forgotten is gone$/m)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
