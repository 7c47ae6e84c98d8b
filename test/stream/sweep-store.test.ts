import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeManualClock } from '../../src/base/clock.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import { putOpen, putProgress } from '../../src/stream/interval-entries.ts'
import { checkpointKey, idsKey, rejectionsKey, stateKey } from '../../src/stream/store-keys.ts'
import { sweepStore } from '../../src/stream/sweep-store.ts'

const bytes = Uint8Array.of(1)
const used = 'aaaaaaaaaaaaaaaa'
const unused = 'bbbbbbbbbbbbbbbb'
const source = (track: number): { track: number; topic: number; partition: number } => ({
  track,
  topic: 0,
  partition: 0,
})

test('a sweep deletes what belongs to no view and no track in use, and nothing else', async () => {
  const store = openMemoryOnlineStore()
  const key = new Uint8Array(3)
  const kept = [
    [checkpointKey, Buffer.from('{"version":2,"tracks":[],"views":{}}')],
    [stateKey(used, key), bytes],
    [stateKey(used, new Uint8Array(1500)), bytes],
    [idsKey(source(1), 0), bytes],
    [rejectionsKey(source(1)), bytes],
    // Whatever the view is called: its name stands where others have their owner.
    ...['a', 'spending', '\u0000\u0000\u0000\u0002'].flatMap((view) => [
      putOpen(view, { end: 1_700_000_000_000, key, correction: false }),
      putProgress(view, { version: 1, shape: '', closed: 0, recordMs: {} }),
    ]),
  ] as const
  const gone = [
    stateKey(unused, key),
    stateKey(unused, new Uint8Array(1500)),
    idsKey(source(2), 0),
    rejectionsKey(source(2)),
  ]
  await store.write([...kept, ...gone.map((one) => [one, bytes] as const)])
  const inUse = { views: new Set([used]), tracks: new Set([1]) }
  await sweepStore(store, inUse, { clock: makeManualClock(0), signal: new AbortController().signal })
  for (const [one] of kept) assert.ok(store.get(one) !== undefined, Buffer.from(one).toString('hex'))
  for (const one of gone) assert.equal(store.get(one), undefined)
})
