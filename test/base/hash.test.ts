import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sha256, sha256OfFile } from '../../src/base/hash.ts'

test('a file of any length has the hash of its bytes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-hash-'))
  try {
    const chunk = 1 << 20
    for (const size of [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 5]) {
      const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 31 + (at >>> 12)) & 255)
      const path = join(folder, String(size))
      await writeFile(path, bytes)
      assert.equal(await sha256OfFile(path), sha256(bytes), `${size} bytes`)
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})
