/**
 * Card payments with fraud among them, after the simulated data set of "Reproducible Machine Learning for Credit Card
 * Fraud Detection" (Le Borgne, Siblini, Lebichot, Bontempi), chapter 3: https://fraud-detection-handbook.github.io.
 *
 * Customers and terminals are points of a square; a customer pays only at terminals nearby. Every day
 * 1. each customer makes Poisson(own mean) payments, most of them around noon, of a normally distributed amount;
 * 2. what exceeds 220.00 is fraud (scenario 1);
 * 3. two more terminals are compromised, for 28 days: all their payments are fraud (scenario 2);
 * 4. three more cards leak, for 14 days: a third of their payments are fraud, of five times the amount (scenario 3).
 * A later scenario takes the place of an earlier one. From the fifth week on about 0.9 % of the payments are fraud.
 */
import type { Payment } from './payment.ts'
import { type Customer, makePopulation, type PopulationOptions } from './population.ts'
import { drawDistinct, drawIndex, drawNormal, drawPoisson, makeRandom, type Random } from './random.ts'

export { type Delivery, disturb, type DisturbOptions } from './disturb.ts'
export type { Payment } from './payment.ts'

export type SimulationOptions = {
  /** Same seed and sizes, same payments, bit for bit, on any machine. */
  readonly seed: number
  /** Where day 0 starts; a whole second. Give midnight UTC, or noon and night are not where they belong. */
  readonly startMs: number
  readonly customers?: number
  readonly terminals?: number
  readonly radius?: number
  /** Endless when absent. */
  readonly days?: number
}

const daySeconds = 86_400
const noonSeconds = daySeconds / 2
const deviationSeconds = 20_000
const largeCents = 220_00
const compromise = { perDay: 2, days: 28 } as const
const leak = { perDay: 3, days: 14, share: 1 / 3, factor: 5 } as const

/**
 * Payments in time order, one day made at a time: memory is that of the population and one day, however long it runs.
 * Throws a RangeError for options out of range.
 */
export function simulatePayments(options: SimulationOptions): Generator<Payment> {
  const { seed, startMs, customers = 5_000, terminals = 10_000, radius = 5, days = Number.POSITIVE_INFINITY } = options
  requireInteger('seed', seed, Number.MIN_SAFE_INTEGER)
  requireInteger('customers', customers, 1)
  requireInteger('terminals', terminals, 1)
  if (days !== Number.POSITIVE_INFINITY) requireInteger('days', days, 0)
  if (!Number.isSafeInteger(startMs / 1_000)) throw new RangeError(`startMs is ${startMs}, not a whole second`)
  if (!(radius > 0)) throw new RangeError(`radius is ${radius}, not above 0`)
  return generate({ seed, customers, terminals, radius }, startMs, days)
}

function requireInteger(name: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min) {
    throw new RangeError(`${name} is ${value}, not a whole number of at least ${min}`)
  }
}

function* generate(options: PopulationOptions, startMs: number, days: number): Generator<Payment> {
  const population = makePopulation(options)
  const compromised = makeSpells(makeRandom(options.seed, 'compromised terminals'), options.terminals, compromise)
  const leaked = makeSpells(makeRandom(options.seed, 'leaked cards'), options.customers, leak)
  for (let day = 0; day < days; day++) {
    const world = { random: makeRandom(options.seed, `day ${day}`), compromised: compromised(day), leaked: leaked(day) }
    const drafts: Draft[] = []
    for (let customerId = 0; customerId < population.length; customerId++) {
      draftPayments(customerId, population[customerId]!, world, drafts)
    }
    // The sort is stable: within a second, payments stay in the order of their customers.
    drafts.sort((left, right) => left.second - right.second)
    const dayMs = startMs + day * daySeconds * 1_000
    for (let index = 0; index < drafts.length; index++) yield finish(drafts[index]!, { day, dayMs, index })
  }
}

type Draft = {
  readonly second: number
  readonly customerId: number
  readonly terminalId: number
  readonly cents: number
  readonly scenario: Payment['scenario']
}

/** What holds on one day. */
type World = {
  readonly random: Random
  readonly compromised: ReadonlyMap<number, number>
  readonly leaked: ReadonlyMap<number, number>
}

/** Adds one customer's payments of a day, in the order in which they are drawn. */
function draftPayments(customerId: number, customer: Customer, world: World, drafts: Draft[]): void {
  const { random } = world
  const { terminals, meanAmount } = customer
  if (terminals.length === 0) return
  for (let left = drawPoisson(random, customer.paymentsPerDay); left > 0; left--) {
    const second = Math.floor(noonSeconds + deviationSeconds * drawNormal(random))
    if (second < 0 || second >= daySeconds) continue
    const amount = meanAmount + (meanAmount / 2) * drawNormal(random)
    const cents = Math.round(100 * (amount < 0 ? random() * 2 * meanAmount : amount))
    const terminalId = terminals[drawIndex(random, terminals.length)]!
    if (world.leaked.has(customerId) && random() < leak.share) {
      drafts.push({ second, customerId, terminalId, cents: cents * leak.factor, scenario: 3 })
    } else {
      const scenario = world.compromised.has(terminalId) ? 2 : cents > largeCents ? 1 : 0
      drafts.push({ second, customerId, terminalId, cents, scenario })
    }
  }
}

function finish(
  draft: Draft,
  place: { readonly day: number; readonly dayMs: number; readonly index: number },
): Payment {
  const { second, customerId, terminalId, cents, scenario } = draft
  return {
    paymentId: `p${String(place.day).padStart(5, '0')}-${String(place.index).padStart(6, '0')}`,
    customerId,
    terminalId,
    amount: cents / 100,
    at: place.dayMs + second * 1_000,
    fraud: scenario !== 0,
    scenario,
  }
}

type SpellOptions = { readonly perDay: number; readonly days: number }

/**
 * Draws `perDay` of `count` every day and keeps each for `days` days: id → the day on which it ends. Must be asked for
 * one day after another. One who is drawn again while in a spell starts it anew.
 */
function makeSpells(
  random: Random,
  count: number,
  options: SpellOptions,
): (day: number) => ReadonlyMap<number, number> {
  const ends = new Map<number, number>()
  return (day) => {
    for (const [id, end] of ends) if (end <= day) ends.delete(id)
    for (const id of drawDistinct(random, options.perDay, count)) ends.set(id, day + options.days)
    return ends
  }
}
