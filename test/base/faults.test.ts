import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { faults, MillraceError, messageOf } from '../../src/base/faults.ts'
import { errorsPage, renderErrors } from '../../scripts/errors.ts'

test('docs/ERRORS.md is in step with the catalogues: run `node scripts/errors.ts`', () => {
  assert.equal(readFileSync(errorsPage, 'utf8'), renderErrors())
})

test('a fault fills in both texts and carries what the catalogue says of it', () => {
  const cause = new Error('earlier')
  const fault = new MillraceError(
    'NAME_UNDECLARED',
    { kind: 'view', name: 'x', declared: 'y', nearest: 'y' },
    { cause },
  )
  assert.equal(fault.message, 'view "x" is not declared')
  assert.equal(fault.hint, 'Declared are: y. The nearest name is "y".')
  assert.deepEqual(
    [fault.code, fault.kind, fault.retry, fault.name],
    ['NAME_UNDECLARED', 'user', 'never', 'MillraceError'],
  )
  assert.equal(fault.details.name, 'x')
  assert.equal(fault.cause, cause)
})

test('values are put in as they are, even when they look like places or patterns', () => {
  const fault = new MillraceError('DURATION_MALFORMED', { text: '{text} $& $1' })
  assert.equal(fault.message, 'duration "{text} $& $1" is not a whole number followed by ms, s, m, h or d')
})

for (const [code, { message, hint }] of Object.entries(faults)) {
  test(`${code} states one fact without a full stop, and a hint in sentences`, () => {
    assert.match(code, /^[A-Z][A-Z_]*[A-Z]$/)
    assert.doesNotMatch(message, /[.!]$/)
    assert.match(hint, /[.}]$/)
    for (const text of [message, hint]) assert.doesNotMatch(text, /\{(?!\w+\})|(?<!\{\w*)\}/, 'braces hold a name')
  })
}

test('anything thrown has a message', () => {
  assert.equal(messageOf(new Error('a')), 'a')
  assert.equal(messageOf('b'), 'b')
  assert.equal(messageOf(null), 'null')
})
