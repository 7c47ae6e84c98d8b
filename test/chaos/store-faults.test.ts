// Goal: whatever LMDB's system calls answer, what was durable stays; a write that is not durable fails with
// STORE_WRITE_FAILED, as every write after it does.
// After a page that could not be written lmdb-js now and then corrupts its own heap and the process aborts. That is a
// crash like any other for the data, and no clear fault for the operator; these runs are counted and printed.
// Method: strace makes the nth call of a kind fail, for every n that a small run gets to.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { openEmbeddedOnlineStore } from '../../src/store/online/embedded/embedded-online-store.ts'
import { environmentOf } from './life.ts'
import { noFaults } from './process-faults.ts'
import { isStoreAbort, straceMissing } from './strace.ts'

const skip = straceMissing() ?? false
const writer = join(import.meta.dirname, 'store-writer.ts')

for (const [calls, code, step] of [
  ['fdatasync', 'EIO', 4],
  ['pwrite64,writev', 'EIO', 5],
  ['pwrite64,writev', 'ENOSPC', 5],
] as const) {
  test(`a store whose ${calls} fails with ${code} says so, and keeps what was durable`, { skip }, async () => {
    let failures = 0
    for (let nth = 2; nth < 22; nth += step) {
      const root = mkdtempSync(join(tmpdir(), 'millrace-store-'))
      try {
        failures += await failOnce(root, `inject=${calls}:error=${code}:when=${nth}`, calls)
      } finally {
        rmSync(root, { recursive: true })
      }
    }
    assert.ok(failures > 0, 'no call of the store was made to fail')
  })
}

/** 1 when a write failed. */
async function failOnce(root: string, inject: string, calls: string): Promise<number> {
  const folder = join(root, 'store')
  const strace = ['-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', inject]
  const node = [process.execPath, '--conditions=millrace-source', writer, folder]
  const env = { ...environmentOf(noFaults), UV_THREADPOOL_SIZE: '1' }
  const { status, signal, stdout, stderr } = spawnSync('strace', [...strace, ...node], { env, encoding: 'utf8' })
  if (stdout === '' && stderr.includes('STORE_OPEN_FAILED')) return 0
  const aborted = isStoreAbort({ signal, complaint: stderr })
  if (aborted) console.log(`${inject}: the process aborted`)
  else assert.equal(status, 0, `${inject}: ${stderr}`)
  const lines = stdout
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
  if (!aborted) assert.equal(lines.pop(), 'closed', `${inject}: ${stdout}`)
  const durable = lines.filter((line) => line.startsWith('durable')).length
  const failed = lines.slice(durable)
  assert.deepEqual(
    failed,
    failed.map((_, nth) => `STORE_WRITE_FAILED ${durable + nth}`),
    inject,
  )
  const store = await openEmbeddedOnlineStore({ folder })
  try {
    const found = [...store.range(new Uint8Array(0), Uint8Array.of(255))].map(([key]) => key[0]!)
    const writes = found.length / 40
    // The first one that failed may be there all the same; it is whole then.
    assert.ok(
      writes === durable || ((aborted || failed.length > 0) && writes === durable + 1),
      `${inject}: ${writes} of ${durable}`,
    )
  } finally {
    await store.close()
  }
  return aborted || failed.length > 0 ? 1 : 0
}
