// Goal: the durable form of a state does not change by accident, and damage never reads as data.
// Method: golden bytes, written out; every cut and every flipped byte of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedBytes } from '../../src/base/bytes.ts'
import { applyEvent, type KeyState, makeKeyState } from '../../src/kernel/key-state.ts'
import type { ViewProgram } from '../../src/kernel/program.ts'
import { readAggregates } from '../../src/kernel/read-state.ts'
import { decodeState, encodeState } from '../../src/kernel/state-codec.ts'
import { event, makeProgram } from './programs.ts'

const hexOf = (program: ViewProgram, state: KeyState): string =>
  Buffer.from(encodeState(program, state)).toString('hex')

const plain = makeProgram({
  columns: [{ kind: 'int' }, { kind: 'boolean' }, { kind: 'float' }, { kind: 'string' }],
  windows: [
    { lengthMs: 10, offsetMs: 0 },
    { lengthMs: null, offsetMs: 0 },
  ],
  slots: [
    { spec: { name: 'sum', input: { kind: 'int' } }, window: 0 },
    { spec: { name: 'count' }, window: 1 },
  ],
  horizonMs: 10,
})

const ordered = makeProgram({
  columns: [{ kind: 'string' }],
  windows: [{ lengthMs: 10, offsetMs: 0 }],
  slots: [{ spec: { name: 'last', input: { kind: 'string' } }, window: 0 }],
  horizonMs: 10,
})

function plainState(): KeyState {
  const state = makeKeyState(plain)
  applyEvent(plain, state, event(300, 0, -1, true, 0.5, 'é'))
  applyEvent(plain, state, event(100, 0, 7, null, null, null))
  applyEvent(plain, state, event(299, 0, 64, false, null, ''))
  return state
}

test('the bytes of a state without events', () => {
  assert.equal(hexOf(plain, makeKeyState(plain)), '01 00 00 00 00 00'.replaceAll(' ', ''))
})

test('the bytes of a state with columns of every kind and a base', () => {
  const expected = [
    '01', // version
    'ad02', // newest + 1 = 301
    '03', // applied
    '65', // newest of the base + 1 = 101
    '02', // raw events
    'ab02', // ts 299
    '01', // one later
    '038001', // int 64
    '0301', // int -1
    '01', // false
    '02', // true
    '00', // float null
    '03000000000000e03f', // float 0.5
    '0300', // ''
    '0302c3a9', // 'é'
    '01', // the base: a count of 1
  ]
  assert.equal(hexOf(plain, plainState()), expected.join(''))
})

test('the bytes of nulls are the same in columns of every kind', () => {
  const state = makeKeyState(plain)
  applyEvent(plain, state, event(300, 0, null, null, null, null))
  assert.equal(hexOf(plain, state), '01' + 'ad020100' + '01ac02' + '00000000' + '00')
})

test('ties are kept where the order matters, as text or as numbers', () => {
  const texts = makeKeyState(ordered)
  applyEvent(ordered, texts, event(1, 'b', 'y'))
  applyEvent(ordered, texts, event(1, 'a', 'x'))
  assert.equal(hexOf(ordered, texts), '0102020002' + '0100' + '0101610101' + '62' + '030178030179')
  const numbers = makeKeyState(ordered)
  applyEvent(ordered, numbers, event(1, 2 ** 42 + 5, 'y'))
  assert.equal(hexOf(ordered, decodeState(ordered, encodeState(ordered, numbers))), hexOf(ordered, numbers))
})

test('a decoded state is the one that was encoded', () => {
  const state = plainState()
  const again = decodeState(plain, encodeState(plain, state))
  assert.equal(hexOf(plain, again), hexOf(plain, state))
  for (const t of [291, 300, 301]) assert.deepEqual(readAggregates(plain, again, t), readAggregates(plain, state, t))
})

test('another version is a fault, not a guess', () => {
  const bytes = encodeState(plain, plainState())
  bytes[0] = 3
  assert.throws(() => decodeState(plain, bytes), {
    code: 'STATE_VERSION_UNKNOWN',
    details: { what: 'a key state', version: 3, supported: 2 },
  })
})

test('a state that is cut short or too long is refused', () => {
  const bytes = encodeState(plain, plainState())
  for (let size = 0; size < bytes.length; size++) {
    assert.throws(() => decodeState(plain, bytes.subarray(0, size)), MalformedBytes, `${size} bytes`)
  }
  assert.throws(() => decodeState(plain, Uint8Array.from([...bytes, 0])), MalformedBytes)
})

test('a tag that no writer writes is refused', () => {
  const bytes = encodeState(plain, plainState())
  assert.equal(bytes[9], 3)
  bytes[9] = 4
  assert.throws(() => decodeState(plain, bytes), MalformedBytes)
})
