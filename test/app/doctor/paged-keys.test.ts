// Goal: doctor looks at the pages of keys with many events as closely as at states.
// Method: a folder with one such key, healthy, and with one record of it damaged, missing, left over, or not canonical.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { examineFolder } from '../../../src/app/doctor/doctor.ts'
import { millrace } from '../../../src/app/mill.ts'
import type { StoreChange } from '../../../src/store/online/online-store.ts'
import { payments, risk } from '../../upgrade/definitions.ts'
import { copyOf, entriesOf, freshFolder, plan, withStore } from './data-folder.ts'

const pages = 7
let healthy = ''

before(async () => {
  healthy = freshFolder()
  const mill = await millrace({ definitions: [risk], folder: healthy })
  const start = Date.UTC(2026, 0, 1)
  const events = Array.from({ length: 3_000 }, (_, index) => ({
    paymentId: `p${index}`,
    customerId: index % 100 === 0 ? 2 : 1,
    amount: index / 4,
    country: index % 3 === 0 ? 'NL' : null,
    at: new Date(start + index * 60_000 - (index % 9 === 0 ? 300_000 : 0)).toISOString(),
  }))
  await mill.ingest(
    payments.name,
    events.map((event) => Buffer.from(JSON.stringify(event))),
  )
  await mill.caughtUp()
  await mill.close()
})

async function faultsAfter(change: (key: Uint8Array, value: Uint8Array) => readonly StoreChange[]): Promise<string[]> {
  const folder = copyOf(healthy)
  await withStore(folder, async (store) => {
    const entries = entriesOf(store, pages)
    assert.ok(entries.length > 10, `${entries.length} pages`)
    await store.write(change(...entries[0]!))
  })
  const { findings } = await examineFolder({ folder, plan, deep: true })
  return findings.filter(({ status }) => status === 'fault').map(({ check, what }) => `${check}: ${what}`)
}

test('a key in pages is healthy, and its pages are not taken for states', async () => {
  assert.deepEqual(await faultsAfter(() => []), [])
})

test('a page that is missing is found', async () => {
  const faults = await faultsAfter((key) => [[key, null]])
  assert.match(faults.join('\n'), /states: .*page [0-9a-f]+ of a key is missing/)
})

test('a page with another byte is found', async () => {
  const faults = await faultsAfter((key, value) => [[key, value.with(9, value[9]! ^ 1)]])
  assert.match(faults.join('\n'), /states: .*page [0-9a-f]+ of a key is of version \d+/)
})

test('a page that belongs to no key is found', async () => {
  const faults = await faultsAfter((key, value) => [[key.with(20, key[20]! ^ 1), value]])
  assert.match(faults.join('\n'), /states: .*its states have \d+ pages, and there are \d+/)
})
