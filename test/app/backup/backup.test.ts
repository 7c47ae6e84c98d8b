import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { backupFolder } from '../../../src/app/backup/backup.ts'
import { copyLog } from '../../../src/app/backup/copy-log.ts'
import { FolderDraft } from '../../../src/app/backup/backup-writer.ts'
import { encodeManifest, type Manifest, readManifest } from '../../../src/app/backup/manifest.ts'
import { restoreBackup } from '../../../src/app/backup/restore.ts'
import { examineFolder } from '../../../src/app/doctor/doctor.ts'
import { openReadOnlyLog } from '../../../src/app/inspect-folder.ts'
import { millrace } from '../../../src/app/mill.ts'
import type { Log, LogRecord } from '../../../src/log/log.ts'
import { assertMatchesLog, readPartition } from '../../oracle/matches-log.ts'
import { risk, spending } from '../../upgrade/definitions.ts'
import { contentsOf, freshFolder, openLog, plan, topic, writeHealthy } from '../doctor/data-folder.ts'

const instantsMs = [0, 1, 3_600_000, 86_400_000]
const conditions = ['--conditions=millrace-source']

/** Whatever lies beside a folder: also what an attempt may have left. */
const beside = (folder: string): string[] => readdirSync(dirname(folder)).sort()

describe('a backup of a running instance', () => {
  let folder = ''
  let worker: ChildProcess
  let acknowledged = 0

  before(async () => {
    folder = freshFolder()
    const script = join(import.meta.dirname, 'backup-worker.ts')
    worker = spawn(process.execPath, [...conditions, script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    worker.stdout!.setEncoding('utf8').on('data', (part: string) => {
      for (const [, count] of part.matchAll(/acked (\d+)\n/g)) acknowledged = Math.max(acknowledged, Number(count))
    })
    while (acknowledged < 300) await sleep(10)
  })

  after(async () => {
    worker.kill('SIGKILL')
    await once(worker, 'close')
  })

  test('has everything that was acknowledged before it began, and is as a prefix of the original', async () => {
    for (let round = 0; round < 2; round++) {
      const [out, restored] = [freshFolder(), freshFolder()]
      const before = acknowledged
      await backupFolder({ folder, out })
      const during = acknowledged
      await restoreBackup({ from: out, folder: restored })
      const mill = await millrace({ definitions: [risk], folder: restored, checkpointMs: 60_000 })
      try {
        await mill.caughtUp()
        // Dead letters and late events go out with it.
        await mill.engine.checkpoint()
        const tally = await assertMatchesLog(
          { plan, log: mill.log, views: [spending], engine: mill.engine },
          instantsMs,
        )
        assert.ok(tally.records >= before, `${tally.records} of the ${before} that were acknowledged`)
        assert.ok(tally.keys > 0 && tally.late > 0 && tally.deadLetters > 0)
        await assertPrefix(mill.log, folder)
      } finally {
        await mill.close()
      }
      const { findings } = await examineFolder({ folder: restored, plan, deep: true })
      assert.deepEqual(
        findings.filter(({ status }) => status !== 'ok'),
        [],
      )
      assert.ok(round > 0 || during > before, 'events went on coming meanwhile')
    }
  })

  test('that is killed leaves nothing that looks whole', async () => {
    let cutOff = 0
    for (let round = 0; round < 4; round++) {
      const out = freshFolder()
      const restored = freshFolder()
      const main = join(import.meta.dirname, '../../../src/cli/main.ts')
      const child = spawn(process.execPath, [...conditions, main, 'backup', '--folder', folder, '--out', out])
      // From the first file on, at some moment until the last.
      while (child.exitCode === null && beside(out).length === 0) await sleep(1)
      await sleep(round * 4)
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
      if (existsSync(out)) {
        await restoreBackup({ from: out, folder: restored })
        continue
      }
      cutOff += 1
      const [partial] = beside(out).filter((name) => name.startsWith(`${basename(out)}.partial-`))
      if (partial === undefined || existsSync(join(dirname(out), partial, 'backup.json'))) continue
      const from = join(dirname(out), partial)
      await assert.rejects(restoreBackup({ from, folder: restored }), { code: 'BACKUP_DAMAGED' })
      assert.deepEqual(beside(restored), [])
    }
    assert.ok(cutOff > 0)
  })
})

/** Every record of the one is the same in the other. */
async function assertPrefix(log: Log, original: string): Promise<void> {
  const other = await openReadOnlyLog(original)
  try {
    for (const { topic: name, partitions } of log.topics()) {
      for (let partition = 0; partition < partitions; partition++) {
        const records = await readPartition(log, name, partition)
        const others = await readPartition(other, name, partition)
        // After recovery the copy has outputs of its own for records whose outputs were not written yet.
        if (name !== topic) continue
        assert.deepEqual(records, others.slice(0, records.length) satisfies LogRecord[])
      }
    }
  } finally {
    await other.close()
  }
}

describe('a backup', () => {
  let folder = ''
  let whole = ''

  before(async () => {
    folder = freshFolder()
    await writeHealthy(folder)
    whole = freshFolder()
    await backupFolder({ folder, out: whole })
  })

  const damagedCopy = (damage: (copy: string) => unknown): string => {
    const copy = freshFolder()
    cpSync(whole, copy, { recursive: true })
    damage(copy)
    return copy
  }

  test('of a closed folder is that folder', async () => {
    const restored = freshFolder()
    mkdirSync(restored)
    const manifest = await restoreBackup({ from: whole, folder: restored })
    const [was, is] = [contentsOf(folder), contentsOf(restored)]
    // A hot copy of the store is equal in content, not in pages.
    for (const one of [was, is]) delete one['store/data.mdb']
    assert.deepEqual(is, was)
    assert.ok(Object.keys(manifest.ends).includes(topic))
    assert.deepEqual(beside(restored), [basename(restored)])
  })

  test('overwrites nothing, and neither does a restore', async () => {
    const out = freshFolder()
    mkdirSync(out, { recursive: true })
    await assert.rejects(backupFolder({ folder, out }), { code: 'FOLDER_NOT_EMPTY' })
    writeFileSync(join(out, 'mine'), '')
    await assert.rejects(restoreBackup({ from: whole, folder: out }), { code: 'FOLDER_NOT_EMPTY' })
    assert.deepEqual(readdirSync(out), ['mine'])
    await assert.rejects(backupFolder({ folder: freshFolder(), out: freshFolder() }), { code: 'FOLDER_WITHOUT_LOG' })
  })

  test('of which any file is damaged, cut, missing or not a backup is refused, and nothing appears', async () => {
    const { files } = await readManifest(whole)
    assert.ok(files.length > 10)
    const damages: ((copy: string) => unknown)[] = []
    // One file of each kind.
    const kinds = new Map(files.map((file) => [file.path.replaceAll(/\d+/g, '').replace(/topics\/[^/]+/, ''), file]))
    for (const { path, bytes } of kinds.values()) {
      damages.push((copy) => rmSync(join(copy, path)))
      if (bytes === 0) continue
      damages.push((copy) => truncateSync(join(copy, path), bytes - 1))
      damages.push((copy) => flip(join(copy, path), bytes >> 1))
    }
    damages.push((copy) => rmSync(join(copy, 'backup.json')))
    damages.push((copy) => writeFileSync(join(copy, 'backup.json'), '{'))
    damages.push((copy) => flip(join(copy, 'backup.json'), 100))
    for (const damage of damages) {
      const restored = freshFolder()
      await assert.rejects(restoreBackup({ from: damagedCopy(damage), folder: restored }), { code: 'BACKUP_DAMAGED' })
      assert.deepEqual(beside(restored), [])
    }
  })

  test('that is whole but holds a damaged folder is refused by what doctor finds', async () => {
    const copy = damagedCopy((at) => {
      const { files, ...rest } = withoutCheck(at)
      const kept = files.filter(({ path }) => !path.endsWith('/payments.v1/topic.json'))
      writeFileSync(join(at, 'backup.json'), encodeManifest({ ...rest, files: kept }))
    })
    const restored = freshFolder()
    await assert.rejects(restoreBackup({ from: copy, folder: restored }), {
      code: 'BACKUP_DAMAGED',
      message: /log: .*topic "payments\.v1" held records in 2 partitions, and has 0 now/,
    })
    assert.deepEqual(beside(restored), [])
  })

  test('in a newer form, or that names files outside, is refused', async () => {
    const newer = damagedCopy((at) => {
      writeFileSync(join(at, 'backup.json'), encodeManifest({ ...withoutCheck(at), version: 2 as 1 }))
    })
    await assert.rejects(restoreBackup({ from: newer, folder: freshFolder() }), {
      code: 'BACKUP_VERSION_UNKNOWN',
      message: /backup\.json has format version 2; this release reads 1/,
    })
    for (const path of ['../../etc/passwd', '/etc/passwd', 'log/../../x', 'other/file', 'log']) {
      const outside = damagedCopy((at) => {
        const manifest = withoutCheck(at)
        writeFileSync(
          join(at, 'backup.json'),
          encodeManifest({ ...manifest, files: [{ ...manifest.files[0]!, path }] }),
        )
      })
      await assert.rejects(restoreBackup({ from: outside, folder: freshFolder() }), { code: 'BACKUP_DAMAGED' }, path)
    }
  })

  test('of a damaged log is not made, and leaves nothing', async () => {
    const damaged = freshFolder()
    cpSync(folder, damaged, { recursive: true })
    const inside = join(damaged, 'log/topics', topic, '1')
    const [segment] = readdirSync(inside).filter((name) => name.endsWith('.log'))
    flip(join(inside, segment!), 100)
    const out = freshFolder()
    await assert.rejects(backupFolder({ folder: damaged, out }), { code: 'LOG_CORRUPT' })
    assert.deepEqual(beside(out), [])
  })

  test('goes on when retention removes segments meanwhile', async () => {
    const source = freshFolder()
    cpSync(folder, source, { recursive: true })
    const inside = join(source, 'log/topics', topic, '0')
    const segments = readdirSync(inside).filter((name) => name.endsWith('.log'))
    assert.ok(segments.length > 3)
    const draft = await FolderDraft.create(freshFolder(), 'test')
    const { ends } = await copyLog(join(source, 'log'), draft, () => {
      // Once a part of the first segment is copied, the first three are removed.
      const copied = readdirSync(join(draft.path, 'log/topics'), { recursive: true }) as string[]
      if (copied.includes(join(topic, '0', segments[0]!)))
        for (const name of segments.slice(0, 3)) rmSync(join(inside, name), { force: true })
    })
    const copied = readdirSync(join(draft.path, 'log/topics', topic, '0')).filter((name) => name.endsWith('.log'))
    assert.deepEqual(copied, segments.slice(3))
    assert.deepEqual(
      draft.files.map(({ path }) => path).filter((path) => path.includes(`${topic}/0/`) && path.endsWith('.log')),
      segments.slice(3).map((name) => `log/topics/${topic}/0/${name}`),
    )
    const log = await openLog(folder)
    assert.equal(ends[topic]![0], log.end(topic, 0))
    await log.close()
  })
})

function withoutCheck(backup: string): Manifest {
  const { check: _, ...manifest } = JSON.parse(readFileSync(join(backup, 'backup.json'), 'utf8')) as Manifest & {
    check: string
  }
  return manifest
}

function flip(file: string, at: number): void {
  const content = readFileSync(file)
  content[at]! ^= 1
  writeFileSync(file, content)
}
