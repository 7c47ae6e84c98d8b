// Goal: every online store keeps the contract of src/store/online/online-store.ts.
// Method: examples at the edges, and random writes compared with a plain map of hexadecimal keys. Stores that survive
// a restart are also reopened, and killed in the middle of writing.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, beforeEach, afterEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import type { OnlineStore, StoreChange } from '../../src/store/online/online-store.ts'
import { lawOptions } from '../base/law-options.ts'
import { generationOf } from './online-store-generations.ts'

export type OnlineStoreCase = {
  readonly name: string
  readonly open: (folder: string) => Promise<OnlineStore>
  /** Whether the store still holds its entries after it was closed or killed. */
  readonly durable: boolean
}

const lastKey = Uint8Array.of(0xff, 0xff, 0xff, 0xff)
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

export function describeOnlineStore(subject: OnlineStoreCase): void {
  describe(subject.name, () => {
    let folder: string
    let store: OnlineStore
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'millrace-online-store-'))
    })
    after(() => rm(folder, { recursive: true, force: true }))
    let count = 0
    let caseFolder: string
    beforeEach(async () => {
      caseFolder = join(folder, String(count++))
      store = await subject.open(caseFolder)
    })
    afterEach(() => store.close())

    testPointReads(() => store)
    testRanges(() => store)
    testRandomWrites(() => store)
    testRefusals(() => store)
    if (subject.durable) {
      testReopening(subject, () => ({ store, folder: caseFolder }))
      testKills(subject, () => folder)
    }
  })
}

function testPointReads(current: () => OnlineStore): void {
  test('gives nothing for a key that was never written', () => {
    assert.equal(current().get(text('absent')), undefined)
  })

  test('the last write of a key wins, within a write and across writes', async () => {
    const store = current()
    await store.write([
      [text('a'), text('first')],
      [text('a'), text('second')],
    ])
    assert.deepEqual(store.get(text('a')), text('second'))
    await store.write([[text('a'), text('third')]])
    assert.deepEqual(store.get(text('a')), text('third'))
  })

  test('null deletes, also within the same write, and deleting what is absent is no fault', async () => {
    const store = current()
    await store.write([
      [text('a'), text('1')],
      [text('b'), text('2')],
    ])
    await store.write([
      [text('a'), null],
      [text('absent'), null],
      [text('c'), text('3')],
      [text('c'), null],
      [text('b'), null],
      [text('b'), text('again')],
    ])
    assert.equal(store.get(text('a')), undefined)
    assert.equal(store.get(text('c')), undefined)
    assert.deepEqual(store.get(text('b')), text('again'))
  })

  test('keeps an empty value apart from none', async () => {
    const store = current()
    await store.write([[text('empty'), new Uint8Array(0)]])
    assert.deepEqual(store.get(text('empty')), new Uint8Array(0))
  })

  test('gives back values of every size up to 1 MB', async () => {
    const store = current()
    for (const size of [1, 4095, 4096, 32_767, 32_768, 32_769, 1_000_000, 1_048_576]) {
      const value = Uint8Array.from({ length: size }, (_, index) => (index * 31 + size) % 251)
      await store.write([[text('big'), value]])
      assert.deepEqual(store.get(text('big')), value, `${size} bytes`)
      assert.deepEqual([...store.range(text('b'), text('c'))], [[text('big'), value]], `${size} bytes in a range`)
    }
  })

  test('a value that was read stays as it was through later writes and reads', async () => {
    const store = current()
    for (const size of [20, 5000, 50_000, 1_000_000]) {
      await store.write([
        [text('a'), new Uint8Array(size).fill(1)],
        [text('b'), new Uint8Array(size).fill(2)],
      ])
      const held = store.get(text('a'))!
      const ranged = [...store.range(text('a'), text('c'))]
      store.get(text('b'))
      for (let round = 3; round < 9; round++) await store.write([[text('a'), new Uint8Array(size).fill(round)]])
      assert.ok(held.length === size && held.every((byte) => byte === 1))
      assert.ok(ranged[0]![1].every((byte) => byte === 1) && ranged[1]![1].every((byte) => byte === 2))
    }
  })

  test('changes to the bytes handed in or given out do not reach the store', async () => {
    const store = current()
    const key = text('key')
    const value = text('value')
    await store.write([[key, value]])
    key.fill(0)
    value.fill(0)
    store.get(text('key'))!.fill(0)
    for (const [ranged, rangedValue] of store.range(text('a'), text('z'))) {
      ranged.fill(0)
      rangedValue.fill(0)
    }
    assert.deepEqual([...store.range(text('a'), text('z'))], [[text('key'), text('value')]])
  })

  test('writes that are not awaited one by one are applied in the order of the calls', async () => {
    const store = current()
    const writes = Array.from({ length: 50 }, (_, index) => store.write([[text('a'), Uint8Array.of(index)]]))
    await Promise.all(writes)
    assert.deepEqual(store.get(text('a')), Uint8Array.of(49))
  })
}

function testRanges(current: () => OnlineStore): void {
  test('gives a range in byte order, with its start and without its end', async () => {
    const store = current()
    const keys = ['00', '0000', '0001', '00ff', '01', '7f', '80', '8000', 'fe', 'feff', 'ff', 'ff00', 'ffff']
    const changes = keys.map((hex): StoreChange => [fromHex(hex), text(hex)])
    await store.write(changes.toReversed())
    const between = (from: string, to: string): string[] => hexKeys(store.range(fromHex(from), fromHex(to)))
    assert.deepEqual(hexKeys(store.range(new Uint8Array(0), lastKey)), keys)
    assert.deepEqual(between('00', '01'), ['00', '0000', '0001', '00ff'])
    assert.deepEqual(between('0000', '00ff'), ['0000', '0001'])
    assert.deepEqual(between('80', 'ff'), ['80', '8000', 'fe', 'feff'])
    assert.deepEqual(between('feff', 'ffffff'), ['feff', 'ff', 'ff00', 'ffff'])
    assert.deepEqual(between('0002', '0003'), [])
    assert.deepEqual(between('80', '80'), [])
    assert.deepEqual(between('ff', '00'), [])
    assert.deepEqual([...store.range(new Uint8Array(0), new Uint8Array(0))], [])
  })

  test('a range that is left early or run twice at once disturbs nothing', async () => {
    const store = current()
    await store.write(Array.from({ length: 100 }, (_, index): StoreChange => [Uint8Array.of(index), text('x')]))
    for (const [key] of store.range(Uint8Array.of(0), lastKey)) if (key[0] === 5) break
    const pairs: number[] = []
    for (const [left] of store.range(Uint8Array.of(0), Uint8Array.of(3))) {
      for (const [right] of store.range(Uint8Array.of(0), Uint8Array.of(3))) pairs.push(left[0]! * 10 + right[0]!)
    }
    assert.deepEqual(pairs, [0, 1, 2, 10, 11, 12, 20, 21, 22])
  })

  test('a range that has begun goes on in the state it began in', async () => {
    const store = current()
    const all = (value: number): StoreChange[] =>
      Array.from({ length: 300 }, (_, index): StoreChange => [Uint8Array.of(index >> 8, index), Uint8Array.of(value)])
    await store.write(all(1))
    const seen = new Set<number>()
    let count = 0
    for (const [, value] of store.range(new Uint8Array(0), lastKey)) {
      seen.add(value[0]!)
      if (count++ === 10) {
        await store.write(all(2))
        await store.write(all(3).map(([key]): StoreChange => [key, null]))
      }
    }
    assert.deepEqual([...seen], [1])
    assert.equal(count, 300)
    assert.deepEqual([...store.range(new Uint8Array(0), lastKey)], [])
  })
}

function testRandomWrites(current: () => OnlineStore): void {
  test('holds after any writes what a plain map holds', async () => {
    const key = fc
      .array(fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff), { minLength: 1, maxLength: 4 })
      .map((bytes) => Uint8Array.from(bytes))
    const value = fc.option(fc.uint8Array({ maxLength: 40 }))
    const writes = fc.array(fc.array(fc.tuple(key, value), { maxLength: 20 }), { minLength: 1, maxLength: 4 })
    const store = current()
    const law = fc.asyncProperty(writes, key, key, async (batches, from, to) => {
      await store.write([...store.range(new Uint8Array(0), Uint8Array.of(...lastKey, 0))].map(([old]) => [old, null]))
      const expected = new Map<string, Uint8Array>()
      for (const changes of batches) {
        await store.write(changes)
        for (const [changed, bytes] of changes) {
          if (bytes === null) expected.delete(toHex(changed))
          else expected.set(toHex(changed), bytes)
        }
        for (const [changed] of changes) assert.deepEqual(store.get(changed), expected.get(toHex(changed)))
      }
      const inside = [...expected.keys()].filter((hex) => toHex(from) <= hex && hex < toHex(to)).toSorted()
      const entries = [...store.range(from, to)]
      assert.deepEqual(hexKeys(entries), inside)
      for (const [ranged, bytes] of entries) assert.deepEqual(bytes, expected.get(toHex(ranged)))
    })
    await fc.assert(law, lawOptions(100))
  })
}

function testRefusals(current: () => OnlineStore): void {
  test('takes keys of 1,978 bytes, refuses longer and empty ones, and then keeps nothing of the write', async () => {
    const store = current()
    const longest = new Uint8Array(1978).fill(9)
    await store.write([[longest, text('kept')]])
    assert.deepEqual(store.get(longest), text('kept'))
    for (const size of [0, 1979, 5000]) {
      const key = new Uint8Array(size)
      await assert.rejects(
        store.write([
          [text('beside'), text('x')],
          [key, text('x')],
        ]),
        { code: 'STORE_KEY_SIZE', details: { size, limit: 1978 } },
      )
      assert.throws(() => store.get(key), { code: 'STORE_KEY_SIZE' })
    }
    assert.equal(store.get(text('beside')), undefined)
    await store.write([[text('beside'), text('y')]])
    assert.deepEqual(store.get(text('beside')), text('y'))
  })

  test('refuses every use after close', async () => {
    const store = current()
    await store.close()
    assert.throws(() => store.get(text('a')), { code: 'STORE_CLOSED' })
    assert.throws(() => [...store.range(text('a'), text('b'))], { code: 'STORE_CLOSED' })
    await assert.rejects(store.write([[text('a'), text('b')]]), { code: 'STORE_CLOSED' })
    await store.close()
  })
}

function testReopening(subject: OnlineStoreCase, current: () => { store: OnlineStore; folder: string }): void {
  test('close waits for the writes before it, and a store opened again holds them', async () => {
    const { store, folder } = current()
    const changes = Array.from({ length: 2000 }, (_, index): StoreChange => [text(`key-${index}`), text(`${index}`)])
    const write = store.write(changes)
    const last = store.write([[text('key-0'), null]])
    await store.close()
    await Promise.all([write, last])
    const again = await subject.open(folder)
    try {
      assert.equal(again.get(text('key-0')), undefined)
      assert.deepEqual(again.get(text('key-1999')), text('1999'))
      assert.equal([...again.range(text('key-'), text('key.'))].length, 1999)
    } finally {
      await again.close()
    }
  })
}

function testKills(subject: OnlineStoreCase, folderOf: () => string): void {
  test('twelve kills in the middle of writing leave exactly one whole generation each time', async () => {
    const folder = join(folderOf(), 'killed')
    let acknowledged = -1
    for (let kill = 0; kill < 12; kill++) {
      const child = spawn(
        process.execPath,
        [
          '--conditions=millrace-source',
          new URL('./online-store-generations.ts', import.meta.url).pathname,
          subject.name,
          folder,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      acknowledged = Math.max(acknowledged, await killWhileWriting(child, kill * 7))
      const store = await subject.open(folder)
      try {
        const generation = generationOf(store)
        assert.ok(
          generation >= acknowledged,
          `generation ${acknowledged} was acknowledged, and ${generation} is there after kill ${kill}`,
        )
        acknowledged = generation
      } finally {
        await store.close()
      }
    }
  })
}

/** Waits until two generations are acknowledged and `delayMs` more, kills, and says the last one acknowledged. */
async function killWhileWriting(child: ChildProcess, delayMs: number): Promise<number> {
  let acknowledged = -1
  let count = 0
  const lines = createInterface({ input: child.stdout! })
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the writer ended before it was killed')))
    lines.on('line', (line) => {
      acknowledged = Number(line)
      if (++count === 2) resolve()
    })
  })
  await sleep(delayMs)
  const exited = once(child, 'exit')
  const drained = once(lines, 'close')
  child.kill('SIGKILL')
  await Promise.all([exited, drained])
  return acknowledged
}

function hexKeys(entries: Iterable<readonly [Uint8Array, Uint8Array]>): string[] {
  return Array.from(entries, ([key]) => toHex(key))
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}
