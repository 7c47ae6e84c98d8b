// Goal: the disk of a power cut keeps what was synced, and of the rest now this and now that.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeAtomically } from '../../src/log/embedded/file-system.ts'
import { bufferedFileSystem } from './buffered-file-system.ts'

/** What forty seeds leave on the disk. */
async function leftBy(work: (files: ReturnType<typeof bufferedFileSystem>, folder: string) => Promise<string>) {
  const left = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-buffered-'))
    mkdirSync(join(folder, 'data'))
    const path = await work(bufferedFileSystem(seed), join(folder, 'data'))
    left.add(existsSync(path) ? readFileSync(path, 'latin1') : 'nothing')
    rmSync(folder, { recursive: true })
  }
  return left
}

const text = (content: string): Uint8Array => Buffer.from(content)

test('a file whose content and name were synced is there, whatever came first', async () => {
  const left = await leftBy(async (files, folder) => {
    const file = await files.open(join(folder, 'a'), 'write')
    await file.write(text('whole'), 0)
    await file.sync()
    await files.syncFolder(folder)
    return join(folder, 'a')
  })
  assert.deepEqual([...left], ['whole'])
})

test('without the name it may be gone; without the content it may be empty', async () => {
  const unnamed = await leftBy(async (files, folder) => {
    const file = await files.open(join(folder, 'a'), 'write')
    await file.write(text('whole'), 0)
    await file.sync()
    return join(folder, 'a')
  })
  assert.deepEqual([...unnamed].sort(), ['nothing', 'whole'])
  const unsynced = await leftBy(async (files, folder) => {
    const file = await files.open(join(folder, 'a'), 'write')
    await files.syncFolder(folder)
    await file.write(text('whole'), 0)
    return join(folder, 'a')
  })
  assert.deepEqual([...unsynced].sort(), ['', 'whole'])
})

test('a file in a folder whose own name was not synced may be gone', async () => {
  const left = await leftBy(async (files, folder) => {
    await files.makeFolder(join(folder, 'b'))
    await writeAtomically(files, { folder: join(folder, 'b'), name: 'c' }, text('whole'))
    return join(folder, 'b', 'c')
  })
  assert.deepEqual([...left], ['nothing'])
  const synced = await leftBy(async (files, folder) => {
    await files.makeFolder(join(folder, 'b'))
    await writeAtomically(files, { folder: join(folder, 'b'), name: 'c' }, text('whole'))
    await files.syncFolder(folder)
    return join(folder, 'b', 'c')
  })
  assert.deepEqual([...synced], ['whole'])
})

test('a file put in place of another is the old one or the new one', async () => {
  const left = await leftBy(async (files, folder) => {
    await writeAtomically(files, { folder, name: 'c' }, text('old'))
    const draft = await files.open(join(folder, 'c.draft'), 'write')
    await draft.write(text('new'), 0)
    await draft.sync()
    await files.rename(join(folder, 'c.draft'), join(folder, 'c'))
    return join(folder, 'c')
  })
  assert.deepEqual([...left].sort(), ['new', 'old'])
})

test('what was removed comes back unless the folder was synced', async () => {
  const left = await leftBy(async (files, folder) => {
    await writeAtomically(files, { folder, name: 'c' }, text('old'))
    await files.remove(join(folder, 'c'))
    return join(folder, 'c')
  })
  assert.deepEqual([...left].sort(), ['nothing', 'old'])
})

test('the process sees all of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-buffered-'))
  const files = bufferedFileSystem(1)
  await files.makeFolder(join(folder, 'b'))
  const file = await files.open(join(folder, 'b', 'a'), 'write')
  await file.write(text('0123456789'), 0)
  await file.truncate(4)
  await file.write(text('x'), 6)
  const into = new Uint8Array(16)
  assert.equal(await file.read(into, 2), 5)
  assert.equal(Buffer.from(into.subarray(0, 5)).toString('latin1'), '23\0\0x')
  assert.deepEqual(await files.list(folder), ['b'])
  assert.deepEqual(await files.list(join(folder, 'b')), ['a'])
  await assert.rejects(files.open(join(folder, 'none'), 'read'), { code: 'ENOENT' })
  rmSync(folder, { recursive: true })
})
