import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { before, describe, test } from 'node:test'
import type { Payment } from './payment.ts'
import { makePopulation } from './population.ts'
import { simulatePayments } from './simulator.ts'

const dayMs = 86_400_000
const startMs = Date.UTC(2018, 3, 1)
const sizes = { customers: 5_000, terminals: 10_000, radius: 5 }

function firstOf(payments: Iterable<Payment>, count: number): readonly Payment[] {
  const taken: Payment[] = []
  for (const payment of payments) if (taken.push(payment) === count) break
  return taken
}

function digest(payments: Iterable<Payment>): string {
  const hash = createHash('sha256')
  for (const { paymentId, customerId, terminalId, amount, at, fraud, scenario } of payments) {
    hash.update(`${paymentId},${customerId},${terminalId},${amount},${at},${fraud},${scenario}\n`)
  }
  return hash.digest('hex')
}

describe('sixty days of the default size', () => {
  const days = 60
  let payments: readonly Payment[] = []
  before(() => {
    payments = [...simulatePayments({ seed: 1, startMs, days })]
  })

  test('are the same payments on every machine', () => {
    // Changes only together with the model itself, and then everything measured with this seed changes too.
    const expected = 'e3efd2576890b591a22a635c886b6b7f5fff9e3751c1eee1d834b539a94129fe'
    assert.equal(digest(payments.slice(0, 50_000)), expected)
    assert.equal(digest(firstOf(simulatePayments({ seed: 1, startMs }), 50_000)), expected)
    assert.notEqual(digest(firstOf(simulatePayments({ seed: 2, startMs }), 50_000)), expected)
  })

  test('are in time order, on whole seconds, each inside its day, with ids that are unique and sort alike', () => {
    let previous: Payment | null = null
    for (const payment of payments) {
      assert.equal(payment.at % 1_000, 0)
      assert.equal(Math.floor((payment.at - startMs) / dayMs), Number(payment.paymentId.slice(1, 6)))
      if (previous !== null) assert.ok(previous.at <= payment.at && previous.paymentId < payment.paymentId)
      previous = payment
    }
    assert.equal(Math.floor((previous!.at - startMs) / dayMs), days - 1)
  })

  test('happen at terminals nearby, for whole cents', () => {
    const population = makePopulation({ seed: 1, ...sizes })
    const nearby = population.map(({ terminals }) => new Set(terminals))
    for (const { customerId, terminalId, amount } of payments) {
      assert.ok(nearby[customerId]!.has(terminalId))
      assert.ok(amount >= 0 && amount === Number(amount.toFixed(2)))
    }
    // 10,000 terminals x π·5² / 100², a little less for the customers at the border.
    const reach = nearby.reduce((sum, { size }) => sum + size, 0) / nearby.length
    assert.ok(reach > 70 && reach < 79, `reach ${reach}`)
  })

  test('come as often, at such hours and for such amounts as described', () => {
    // A mean of two a day, of which 96.9 % fall inside the day: half a day is 2.16 deviations.
    const perCustomerDay = payments.length / days / sizes.customers
    assert.ok(Math.abs(perCustomerDay - 2 * 0.9692) < 0.06, `${perCustomerDay} payments a day`)
    const hours = payments.map(({ at }) => (at % dayMs) / 3_600_000)
    const hourMean = hours.reduce((sum, hour) => sum + hour, 0) / hours.length
    assert.ok(Math.abs(hourMean - 12) < 0.05, `mean hour ${hourMean}`)
    // 1.08 deviations of a normal law cut at 2.16.
    const middle = hours.filter((hour) => hour >= 6 && hour < 18).length / hours.length
    assert.ok(Math.abs(middle - 0.7428) < 0.01, `${middle} between 6 and 18 h`)
    const plain = payments.filter(({ scenario }) => scenario === 0)
    const amountMean = plain.reduce((sum, { amount }) => sum + amount, 0) / plain.length
    assert.ok(amountMean > 50 && amountMean < 57, `mean amount ${amountMean}`)
  })

  test('are fraud about as often as in the published file', () => {
    const share = (scenario: number): number =>
      payments.filter((payment) => payment.scenario === scenario).length / payments.length
    for (const { fraud, scenario } of payments) assert.equal(fraud, scenario !== 0)
    // Published over 183 days: 0.84 % in all, of which 0.055, 0.52 and 0.26 by scenario.
    assert.ok(Math.abs(1 - share(0) - 0.0084) < 0.002, `fraud ${1 - share(0)}`)
    assert.ok(share(1) > 0.0003 && share(1) < 0.0009, `scenario 1 ${share(1)}`)
    assert.ok(share(2) > 0.003 && share(2) < 0.007, `scenario 2 ${share(2)}`)
    assert.ok(share(3) > 0.0015 && share(3) < 0.0045, `scenario 3 ${share(3)}`)
  })

  test('above 220.00 are all fraud, and scenario 1 is nothing else', () => {
    for (const { amount, scenario } of payments) {
      if (amount > 220) assert.notEqual(scenario, 0)
      if (scenario === 1) assert.ok(amount > 220)
    }
  })

  test('on a compromised terminal are all fraud, for 28 days at a time', () => {
    // A run ends with the first honest payment. Were one payment in ten spared, there would be many more runs.
    const runs: Spell[] = []
    const open = new Map<number, Spell>()
    for (const { terminalId, scenario, at } of payments) {
      const day = Math.floor((at - startMs) / dayMs)
      const run = open.get(terminalId)
      if (scenario === 0 || scenario === 1) open.delete(terminalId)
      else if (run !== undefined) Object.assign(run, { last: day, lastAt: at })
      else if (scenario === 2) {
        const opened = { first: day, last: day, firstAt: at, lastAt: at }
        open.set(terminalId, opened)
        runs.push(opened)
      }
    }
    assert.ok(runs.length > 0.8 * 2 * days && runs.length <= 2 * days, `${runs.length} runs for ${2 * days} draws`)
    // Longer than 28 days is only one that was drawn again, or that had a theft by scenario 3 beside it.
    assert.ok(runs.filter(({ first, last }) => last - first > 27).length <= 3)
    assert.ok(runs.filter(({ first, last }) => last - first === 27).length > 10)
  })

  test('with a leaked card are fraud by a third and five times the amount, for 14 days at a time', () => {
    const spells = leaksOf(payments)
    const population = makePopulation({ seed: 1, ...sizes })
    // Longer than 14 days is only who was drawn twice.
    const spans = [...spells.values()].map(({ first, last }) => last - first)
    assert.ok(spans.filter((span) => span > 13).length <= 8 && spans.includes(13))
    let between = 0
    let stolenBetween = 0
    let stolen = 0
    let stolenRatio = 0
    for (const { customerId, at, amount, scenario } of payments) {
      const spell = spells.get(customerId)
      if (spell === undefined || spell.last - spell.first > 13) continue
      if (scenario === 3) {
        stolen++
        stolenRatio += amount / population[customerId]!.meanAmount
        assert.equal(Math.round(amount * 100) % 5, 0)
      }
      // The first and the last theft are there by choice; those strictly between them are there by chance.
      if (at <= spell.firstAt || at >= spell.lastAt) continue
      between++
      if (scenario === 3) stolenBetween++
    }
    assert.ok(between > 500 && Math.abs(stolenBetween / between - 1 / 3) < 0.03, `${stolenBetween} of ${between}`)
    assert.ok(Math.abs(stolenRatio / stolen - 5) < 0.5, `${stolenRatio / stolen} times the amount`)
  })
})

type Spell = { first: number; last: number; firstAt: number; lastAt: number }

/** The days and instants of the first and last theft, by customer. */
function leaksOf(payments: readonly Payment[]): ReadonlyMap<number, Spell> {
  const spells = new Map<number, Spell>()
  for (const { customerId, scenario, at } of payments) {
    if (scenario !== 3) continue
    const day = Math.floor((at - startMs) / dayMs)
    const spell = spells.get(customerId)
    if (spell === undefined) spells.set(customerId, { first: day, last: day, firstAt: at, lastAt: at })
    else Object.assign(spell, { last: day, lastAt: at })
  }
  return spells
}

describe('a simulation', () => {
  test('goes on without end when no number of days is given, and a longer run starts like a shorter one', () => {
    const small = { seed: 7, startMs, customers: 20, terminals: 500, radius: 10 }
    const bounded = [...simulatePayments({ ...small, days: 1_000 })]
    const endless = firstOf(simulatePayments(small), bounded.length + 1)
    assert.equal(digest(endless.slice(0, bounded.length)), digest(bounded))
    assert.equal(endless.at(-1)!.paymentId.slice(0, 6), 'p01000')
  })

  test('moves with its start and changes in nothing else', () => {
    const small = { seed: 7, customers: 50, days: 5 }
    const moved = [...simulatePayments({ ...small, startMs: startMs + 400 * dayMs })]
    const expected = [...simulatePayments({ ...small, startMs })].map((payment) => ({
      ...payment,
      at: payment.at + 400 * dayMs,
    }))
    assert.deepEqual(moved, expected)
  })

  test('finds with its grid exactly the terminals nearer than the radius', () => {
    // A radius that reaches everywhere gives one cell; a tiny one gives many. Both must agree with a plain scan.
    const everyone = makePopulation({ seed: 3, customers: 40, terminals: 300, radius: 150 })
    for (const { terminals } of everyone) assert.equal(terminals.length, 300)
    const wide = makePopulation({ seed: 3, customers: 400, terminals: 3_000, radius: 9 })
    const narrow = makePopulation({ seed: 3, customers: 400, terminals: 3_000, radius: 3 })
    for (const [id, { terminals }] of narrow.entries()) {
      const reached = new Set(wide[id]!.terminals)
      for (const terminal of terminals) assert.ok(reached.has(terminal))
    }
    const ratio = sum(wide) / sum(narrow)
    assert.ok(ratio > 8 && ratio < 10, `nine times the area holds ${ratio} times the terminals`)
  })

  test('has customers who reach no terminal and never pay', () => {
    const few = { seed: 5, customers: 200, terminals: 10, radius: 5 }
    const stranded = makePopulation(few).flatMap(({ terminals }, id) => (terminals.length === 0 ? [id] : []))
    const paying = new Set([...simulatePayments({ ...few, startMs, days: 30 })].map(({ customerId }) => customerId))
    assert.ok(stranded.length > 100 && paying.size > 0)
    for (const id of stranded) assert.ok(!paying.has(id))
  })

  test('refuses sizes, days, a radius or a start out of range before the first payment is asked for', () => {
    const cases = [{ seed: 0.5 }, { customers: 0 }, { terminals: -1 }, { radius: 0 }, { days: 1.5 }, { startMs: 1 }]
    for (const wrong of cases) assert.throws(() => simulatePayments({ seed: 1, startMs, ...wrong }), RangeError)
    assert.deepEqual([...simulatePayments({ seed: 1, startMs, days: 0 })], [])
  })
})

function sum(population: readonly { readonly terminals: Int32Array }[]): number {
  return population.reduce((total, { terminals }) => total + terminals.length, 0)
}
