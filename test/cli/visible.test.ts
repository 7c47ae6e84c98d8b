import assert from 'node:assert/strict'
import { test } from 'node:test'
import { visible } from '../../src/cli/visible.ts'

test('control characters of both sets, and delete, are shown and not sent', () => {
  for (let code = 0; code < 0xa0; code++) {
    const character = String.fromCharCode(code)
    const isPlain = (code >= 0x20 && code < 0x7f) || character === '\n' || character === '\t'
    assert.equal(visible(character), isPlain ? character : `\\u${code.toString(16).padStart(4, '0')}`)
  }
})

test('marks that turn the direction of text are shown', () => {
  assert.equal(visible('a\u202eb\u2066c\u200f'), 'a\\u202eb\\u2066c\\u200f')
})

test('other text stays as it is', () => {
  assert.equal(visible('Zürich 東京 👩‍💻 עברית'), 'Zürich 東京 👩‍💻 עברית')
})

test('JSON stays JSON of the same value', () => {
  const value = { 'k\u009b': 'a\u007f\u202e"\n\u001b' }
  assert.deepEqual(JSON.parse(visible(JSON.stringify(value, null, 2))), value)
})
