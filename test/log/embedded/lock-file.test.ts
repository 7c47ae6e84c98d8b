import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { lockFile } from '../../../src/log/embedded/lock-file.ts'

const folder = await mkdtemp(join(tmpdir(), 'millrace-lock-'))
const path = join(folder, 'lock')
after(() => rm(folder, { recursive: true }))

const linux = await access('/proc/self/stat').then(
  () => true,
  () => false,
)

describe('a lock file', () => {
  test('is held by one, names who holds it, and is gone after its release', async () => {
    const lock = await lockFile(path)
    await assert.rejects(lockFile(path), { code: 'FOLDER_IN_USE', details: { folder, pid: process.pid } })
    assert.equal(JSON.parse(await readFile(path, 'utf8')).pid, process.pid)
    await lock.release()
    assert.deepEqual(await readdir(folder), [])
  })

  test('is taken over from a process that is dead, even one whose end nobody has noticed', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    await once(child, 'spawn')
    await writeFile(path, JSON.stringify({ pid: child.pid, startedAt: null }))
    await assert.rejects(lockFile(path), { code: 'FOLDER_IN_USE', details: { folder, pid: child.pid! } })
    child.kill('SIGKILL')
    await once(child, 'exit')
    await (await lockFile(path)).release()
  })

  test('is taken over when another process has the same id now', { skip: !linux }, async () => {
    await writeFile(path, JSON.stringify({ pid: process.pid, startedAt: '1' }))
    await (await lockFile(path)).release()
  })

  test('is taken over when a power cut has emptied it', async () => {
    for (const content of ['', '{"pid":', '{}', '{"pid":-1,"startedAt":null}']) {
      await writeFile(path, content)
      await (await lockFile(path)).release()
    }
  })

  test('is got by exactly one of many that find it stale at the same time', async () => {
    for (let round = 0; round < 60; round++) {
      await writeFile(path, 'stale')
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockFile(path)))
      const held = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      assert.equal(held.length, 1)
      await held[0]!.value.release()
    }
    assert.deepEqual(await readdir(folder), [])
  })

  test('is taken over from a process that died while it took it over', async () => {
    const dead = (nonce: string): string => JSON.stringify({ pid: 2 ** 22 + 1, startedAt: '1', nonce })
    const claimOf = (content: string): string =>
      `${path}.after-${createHash('sha256').update(content).digest('hex').slice(0, 32)}`
    await writeFile(path, dead('holder'))
    await writeFile(claimOf(dead('holder')), dead('first'))
    await writeFile(claimOf(dead('first')), dead('second'))
    const outcomes = await Promise.allSettled([lockFile(path), lockFile(path), lockFile(path)])
    const held = outcomes.filter((outcome) => outcome.status === 'fulfilled')
    assert.equal(held.length, 1)
    await held[0]!.value.release()
    assert.deepEqual(await readdir(folder), [])
  })
})
