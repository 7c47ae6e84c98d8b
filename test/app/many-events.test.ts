// Goal: a key whose events lie in pages goes through doctor, backup, restore, forgetting and compaction like any other.
// Method: two keys of 1,200 events each; values before and after each step; and no file names the one that was forgotten.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { backupFolder } from '../../src/app/backup/backup.ts'
import { restoreBackup } from '../../src/app/backup/restore.ts'
import { compact } from '../../src/app/compact/compact.ts'
import { examineFolder } from '../../src/app/doctor/doctor.ts'
import { decimal, entity, featureView, millrace, stream, string, timestamp } from '../../src/index.ts'
import { openEmbeddedOnlineStore } from '../../src/store/online/embedded/embedded-online-store.ts'
import { isPageKey } from '../../src/stream/store-keys.ts'
import { freshFolder, holds } from './compact/folders.ts'

const payments = stream('payments', {
  fields: { paymentId: string(), customer: string(), amount: decimal(2), at: timestamp('ms') },
  time: 'at',
  id: 'paymentId',
  key: 'customer',
  lateness: '10m',
})
const spending = featureView('spending', {
  from: payments,
  by: entity('customer', { customer: string() }),
  features: (on) => ({
    payments_30d: on.count({ over: '30d' }),
    mean_1h: on.mean('amount', { over: '1h' }),
    spent: on.sum('amount', { over: 'lifetime' }),
  }),
})

const startMs = Date.UTC(2026, 0, 1)
const [gone, stays] = ['gone-for-good', 'here-to-stay']
const events = Array.from({ length: 2_400 }, (_, index) => ({
  paymentId: `p${index}`,
  customer: index % 2 === 0 ? gone : stays,
  amount: ((index * 7_919) % 10_000) / 100,
  at: startMs + index * 60_000,
}))
const instants = [2_345, 2_399, 5_000].map((minute) => startMs + minute * 60_000 + 1)

async function valuesIn(folder: string, customer: string): Promise<unknown[]> {
  const mill = await millrace({ definitions: [spending], folder })
  try {
    await mill.caughtUp()
    return await Promise.all(instants.map((asOf) => mill.get(spending, { customer }, { asOf })))
  } finally {
    await mill.close()
  }
}

async function pagesIn(folder: string): Promise<number> {
  const store = await openEmbeddedOnlineStore({ folder: join(folder, 'store') })
  const pages = [...store.range(Uint8Array.of(0), Uint8Array.of(255))].filter(([key]) => isPageKey(key))
  await store.close()
  return pages.length
}

async function assertHealthy(folder: string): Promise<void> {
  const { findings } = await examineFolder({ folder, deep: true })
  assert.deepEqual(
    findings.filter(({ status }) => status !== 'ok'),
    [],
  )
}

test('a key with many events is examined, backed up, restored, forgotten and compacted', async () => {
  const folder = freshFolder()
  const mill = await millrace({ definitions: [spending], folder })
  await mill.send(payments, events)
  await mill.caughtUp()
  await mill.close()
  const before = { gone: await valuesIn(folder, gone), stays: await valuesIn(folder, stays) }
  assert.equal((before.stays.at(-1) as { payments_30d: number }).payments_30d, 1_200)
  assert.ok((await pagesIn(folder)) > 10)
  await assertHealthy(folder)

  const [backup, restored] = [freshFolder(), freshFolder()]
  await backupFolder({ folder, out: backup })
  await restoreBackup({ from: backup, folder: restored })
  await assertHealthy(restored)
  assert.deepEqual({ gone: await valuesIn(restored, gone), stays: await valuesIn(restored, stays) }, before)

  const again = await millrace({ definitions: [spending], folder })
  await again.forget('customer', { customer: gone })
  await again.close()
  assert.ok(holds(folder, gone), 'the log still names it')
  await compact({ folder })
  const after = await valuesIn(folder, gone)
  assert.deepEqual(await valuesIn(folder, stays), before.stays)
  assert.deepEqual(after.at(-1), { payments_30d: 0, mean_1h: null, spent: 0 })
  await assertHealthy(folder)
  assert.equal(holds(folder, gone), false)
})
