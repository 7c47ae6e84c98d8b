// Goal: a server that fails is left alone, one request tries it after a while, and retries are a share of all requests.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeManualClock } from '../../../src/base/clock.ts'
import { Circuit } from '../../../src/model/remote/circuit.ts'
import { RetryBudget } from '../../../src/model/remote/retry-budget.ts'

function opened(): { circuit: Circuit; clock: ReturnType<typeof makeManualClock> } {
  const clock = makeManualClock(0)
  const circuit = new Circuit(clock, 1_000)
  for (let count = 0; count < 5; count++) circuit.note(circuit.ask()!, false)
  return { circuit, clock }
}

test('a circuit opens when half of the last requests failed, and of few says nothing', () => {
  const circuit = new Circuit(makeManualClock(0), 1_000)
  for (let count = 0; count < 4; count++) circuit.note(circuit.ask()!, false)
  assert.equal(circuit.state, 'closed')
  for (let count = 0; count < 5; count++) circuit.note(circuit.ask()!, true)
  assert.equal(circuit.state, 'closed')
  circuit.note(circuit.ask()!, false)
  assert.equal(circuit.state, 'open')
  assert.equal(circuit.ask(), null)
})

test('what failed long ago is forgotten', () => {
  const circuit = new Circuit(makeManualClock(0), 1_000)
  for (let count = 0; count < 200; count++) circuit.note(circuit.ask()!, count % 5 < 3)
  assert.equal(circuit.state, 'closed')
})

test('after its pause one request at a time is let through, and its answer closes the circuit', () => {
  const { circuit, clock } = opened()
  clock.set(999)
  assert.equal(circuit.ask(), null)
  clock.set(1_000)
  assert.equal(circuit.state, 'half open')
  const probe = circuit.ask()!
  assert.ok(probe.probe)
  assert.equal(circuit.ask(), null)
  circuit.note(probe, true)
  assert.equal(circuit.state, 'closed')
})

test('a probe that fails opens it for another pause', () => {
  const { circuit, clock } = opened()
  clock.set(1_500)
  circuit.note(circuit.ask()!, false)
  assert.equal(circuit.state, 'open')
  clock.set(2_499)
  assert.equal(circuit.ask(), null)
  clock.set(2_500)
  assert.notEqual(circuit.ask(), null)
})

test('answers to what was sent before it opened neither open nor close it', () => {
  const clock = makeManualClock(0)
  const circuit = new Circuit(clock, 1_000)
  const sent = Array.from({ length: 12 }, () => circuit.ask()!)
  for (const leave of sent.slice(0, 5)) circuit.note(leave, false)
  clock.set(1_000)
  const probe = circuit.ask()!
  for (const leave of sent.slice(5, 7)) circuit.note(leave, true)
  assert.equal(circuit.ask(), null, 'the probe is still under way')
  circuit.note(probe, true)
  for (const leave of sent.slice(7)) circuit.note(leave, false)
  assert.equal(circuit.state, 'closed')
})

test('of many requests a tenth may be repeated, and ten more', () => {
  const budget = new RetryBudget(0.1)
  let repeated = 0
  for (let count = 0; count < 1_000; count++) {
    budget.earn()
    while (budget.spend()) repeated += 1
  }
  assert.ok(repeated >= 105 && repeated <= 110, String(repeated))
  const none = new RetryBudget(0)
  none.earn()
  assert.equal(none.spend(), false)
})
