import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openEmbeddedOnlineStore } from '../../../../src/store/online/embedded/embedded-online-store.ts'
import type { StoreChange } from '../../../../src/store/online/online-store.ts'
import { describeOnlineStore } from '../../../conformance/online-store.ts'
import { onlineStores } from '../../../conformance/online-stores.ts'

describeOnlineStore(onlineStores.embedded)

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-embedded-online-store-'))
})
after(() => rm(folder, { recursive: true, force: true }))

test('refuses a write that would pass its limit, keeps nothing of it, and takes smaller ones', async () => {
  const store = await openEmbeddedOnlineStore({ folder: join(folder, 'limited'), mapBytesMax: 1024 * 1024 })
  try {
    const changes = Array.from(
      { length: 100 },
      (_, index): StoreChange => [Uint8Array.of(index), new Uint8Array(20_000)],
    )
    await assert.rejects(store.write(changes), { code: 'STORE_FULL' })
    assert.equal(store.get(Uint8Array.of(0)), undefined)
    await store.write(changes.slice(0, 20))
    assert.equal(store.get(Uint8Array.of(19))?.length, 20_000)
  } finally {
    await store.close()
  }
})

test('creates the folders it is given, also when a name in them has a dot', async () => {
  const store = await openEmbeddedOnlineStore({ folder: join(folder, 'a.b', 'online.v1') })
  await store.write([[Uint8Array.of(1), Uint8Array.of(2)]])
  await store.close()
})

test('says which folder cannot be opened, and why', async () => {
  const file = join(folder, 'file')
  await writeFile(file, 'not a folder')
  await assert.rejects(openEmbeddedOnlineStore({ folder: file }), { code: 'STORE_OPEN_FAILED' })
})

test('takes a write of 100,000 changes whole', async () => {
  const store = await openEmbeddedOnlineStore({ folder: join(folder, 'many') })
  try {
    const key = (index: number): Uint8Array => Uint8Array.of(index >> 16, index >> 8, index)
    await store.write(Array.from({ length: 100_000 }, (_, index): StoreChange => [key(index), key(index)]))
    assert.equal([...store.range(new Uint8Array(0), Uint8Array.of(0xff))].length, 100_000)
    assert.deepEqual(store.get(key(99_999)), key(99_999))
  } finally {
    await store.close()
  }
})
