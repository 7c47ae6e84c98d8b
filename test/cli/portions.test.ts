import assert from 'node:assert/strict'
import { test } from 'node:test'
import { portions } from '../../src/cli/portions.ts'

const cut = (text: string): { text: string; lines: number }[] =>
  [...portions(Buffer.from(text))].map(({ content, lines }) => ({ text: Buffer.from(content).toString(), lines }))

test('a short input is one portion, with or without a last line break', () => {
  assert.deepEqual(cut('a\nb'), [{ text: 'a\nb', lines: 2 }])
  assert.deepEqual(cut('a\nb\n'), [{ text: 'a\nb\n', lines: 2 }])
})

test('an empty input is one portion without a line, for the server to refuse', () => {
  assert.deepEqual(cut(''), [{ text: '', lines: 0 }])
  assert.deepEqual(cut(' \n\r\n'), [{ text: ' \n\r\n', lines: 0 }])
})

test('lines of white space are no events', () => {
  assert.deepEqual(cut('\na\n \t\r\nb'), [{ text: '\na\n \t\r\nb', lines: 2 }])
})

test('portions hold at most 5,000 events, and together every byte', () => {
  const text = Array.from({ length: 10_001 }, (_, index) => `{"n":${index}}\n`).join('')
  const found = cut(text)
  assert.deepEqual(
    found.map(({ lines }) => lines),
    [5_000, 5_000, 1],
  )
  assert.equal(found.map((portion) => portion.text).join(''), text)
})

test('portions hold at most 4 MiB, but for a single longer line', () => {
  const line = (mebibytes: number): string => `${'x'.repeat(mebibytes * 1024 * 1024)}\n`
  const found = cut(line(3) + line(3) + line(5) + line(1))
  assert.deepEqual(
    found.map(({ text }) => Math.round(text.length / 1024 / 1024)),
    [3, 3, 5, 1],
  )
})
