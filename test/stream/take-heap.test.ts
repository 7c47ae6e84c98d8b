// Goal: from its bytes to its states a common event makes no object but a few boxed numbers. Method: `take-heap.ts`.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

test('events with ids leave next to nothing on the heap', () => {
  const flags = [
    '--conditions=millrace-source',
    '--expose-gc',
    '--min-semi-space-size=128',
    '--max-semi-space-size=128',
  ]
  const script = fileURLToPath(new URL('take-heap.ts', import.meta.url))
  const printed = execFileSync(process.execPath, [...flags, script], { encoding: 'utf8' })
  const found = JSON.parse(printed) as Record<string, number>
  assert.equal(found['collections'], 0, 'nothing was collected that would hide what was allocated')
  assert.deepEqual([found['accepted'], found['projected'], found['left']], [300_000, 300_000, 0])
  // A row, its values and a key as objects of their own took more than a thousand.
  assert.ok(found['heapPerEvent']! < 200, printed)
})
