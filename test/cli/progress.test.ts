import assert from 'node:assert/strict'
import { test } from 'node:test'
import { byteCount } from '../../src/cli/options.ts'
import { makeProgress, type ProgressPlace, progressText } from '../../src/cli/progress.ts'

test('progress says phase, share, rate and the time left', () => {
  const half = { phase: 'computing', done: 500_000, total: 1_000_000 }
  assert.equal(progressText(half, 2_000, false), 'computing  50 %  500,000 of 1,000,000  250,000/s  2 s left')
  assert.match(progressText(half, 2_000, true), /^computing {2}█{10}░{10} {2}50 %/)
  assert.equal(progressText({ ...half, total: null }, 2_000, true), 'computing  500,000  250,000/s')
  assert.equal(progressText({ ...half, done: 1 }, 10, false), 'computing  0 %  1 of 1,000,000')
  assert.match(progressText({ ...half, done: 1_000 }, 60_000, false), / 16\.6 h left$/)
  assert.equal(progressText({ ...half, total: 0, done: 0 }, 500, false), 'computing  0')
})

function placeOf(isTTY: boolean): {
  readonly place: ProgressPlace
  readonly written: string[]
  readonly at: (ms: number) => void
} {
  const written: string[] = []
  let now = 0
  const place = { isTTY, columns: 30, write: (text: string) => void written.push(text), elapsed: () => now }
  return { place, written, at: (ms) => void (now = ms) }
}

test('a terminal has one line, drawn over at most ten times a second and never broken', () => {
  const { place, written, at } = placeOf(true)
  const show = makeProgress(place)
  for (let ms = 0; ms <= 1_000; ms += 10) {
    at(ms)
    show({ phase: 'computing', done: ms, total: 10_000 })
  }
  assert.ok(written.length <= 12 && written.length >= 10, `${written.length} lines`)
  for (const line of written) assert.match(line, /^\r/)
  // oxlint-disable-next-line no-control-regex -- what draws over the line before.
  for (const line of written) assert.ok(line.replaceAll(/\r|\u001b\[\d*[a-zA-Z]/g, '').length < 30)
})

test('anywhere else there is a line every ten seconds', () => {
  const { place, written, at } = placeOf(false)
  const show = makeProgress(place)
  for (let ms = 0; ms <= 25_000; ms += 100) {
    at(ms)
    show({ phase: 'computing', done: ms, total: 100_000 })
  }
  assert.deepEqual(written, [
    'computing  10 %  10,000 of 100,000  1,000/s  90 s left\n',
    'computing  20 %  20,000 of 100,000  1,000/s  80 s left\n',
  ])
})

test('a size is a number of bytes, or of larger units', () => {
  assert.deepEqual(
    ['0', '4096', '512MB', '2gb', '1.5 GB'].map((text) => byteCount('--memory', text)),
    [0, 4_096, 2 ** 29, 2 ** 31, 1.5 * 2 ** 30],
  )
  for (const text of ['', 'much', '-1', '1EB', '1 G']) {
    assert.throws(() => byteCount('--memory', text), { code: 'REQUEST_MALFORMED' })
  }
})
