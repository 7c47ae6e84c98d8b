// Goal: folding allocates nothing per event once keys are known and windows slide. Method: `fold-heap.ts`.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

test('a million events of known keys leave nothing on the heap', () => {
  const flags = [
    '--conditions=millrace-source',
    '--expose-gc',
    '--min-semi-space-size=128',
    '--max-semi-space-size=128',
  ]
  const script = fileURLToPath(new URL('fold-heap.ts', import.meta.url))
  const run = (): Record<string, number> =>
    JSON.parse(execFileSync(process.execPath, [...flags, script], { encoding: 'utf8' }))
  // On a busy machine the compiler may come so late that most events ran before it did: such a run says nothing.
  let found = run()
  for (let again = 0; again < 2 && found['bytesPerEvent']! >= 8; again++) found = run()
  const { bytesPerEvent, collections, tableBytes } = found
  assert.equal(collections, 0, 'nothing was collected that would hide what was allocated')
  // The smallest object has 16; what is left is the compiler's.
  assert.ok(bytesPerEvent! < 8, `${bytesPerEvent} bytes per event`)
  // 41 events of 32 bytes are kept per key, in a block of 64; blocks that all keys have outgrown are as many again.
  assert.ok(tableBytes! < 1_000 * (2 * 64 * 32 + 400), `${tableBytes} bytes`)
})
