import type { Mill } from 'millrace'
import { boosted, logistic } from '../models.ts'
import type { Payment } from '../payment.ts'

/** From here on a payment is looked into. */
export const alarmScore = 0.5
/** Payments that the champion scores before the challenger takes over. */
export const championCount = 150

/** What a model said of the payments, and what was true. */
export type Tally = {
  readonly model: string
  scored: number
  /** Payments without a score: refused or failed. */
  unscored: number
  caught: number
  missed: number
  falseAlarms: number
}

export type Scores = {
  /** Of all payments since the history: the model that answered, and the one that ran beside it. */
  readonly champion: Tally
  readonly challenger: Tally
  /** When the challenger took over, in simulated time; null: not yet. */
  readonly swappedAt: number | null
  /** Answers by a model that was not the one to answer. */
  readonly mixed: number
  /** Of the payments that both scored: the chance that a fraud scores above another. Null without both kinds. */
  readonly auc: { readonly champion: number | null; readonly challenger: number | null }
}

/**
 * Scores payments as they come. The champion, a logistic regression, answers, and the challenger, boosted trees, runs
 * beside it and is not served, until it takes over between two payments.
 */
export class Scorer {
  readonly #mill: Mill
  readonly #champion: Tally = newTally(logistic.name)
  readonly #challenger: Tally = newTally(boosted.name)
  readonly #labelled: { readonly fraud: boolean; readonly scores: readonly [number, number] }[] = []
  #swappedAt: number | null = null
  #mixed = 0
  #count = 0

  constructor(mill: Mill) {
    this.#mill = mill
  }

  get count(): number {
    return this.#count
  }

  get scores(): Scores {
    return {
      champion: this.#champion,
      challenger: this.#challenger,
      swappedAt: this.#swappedAt,
      mixed: this.#mixed,
      auc: { champion: this.#auc(0), challenger: this.#auc(1) },
    }
  }

  /** The score that is served, of a payment that is in the log; null where there is none. */
  async score(payment: Payment): Promise<number | null> {
    if (this.#swappedAt === null && this.#count >= championCount) this.#swappedAt = payment.at
    this.#count += 1
    const served = this.#swappedAt === null ? logistic.name : boosted.name
    const champion = await this.#ask(logistic.name, payment, this.#champion)
    const challenger = await this.#ask(boosted.name, payment, this.#challenger)
    const answer = served === logistic.name ? champion : challenger
    if (answer?.model !== undefined && answer.model !== served) this.#mixed += 1
    if (champion !== null && challenger !== null) {
      this.#labelled.push({ fraud: payment.fraud, scores: [champion.score, challenger.score] })
    }
    return answer?.score ?? null
  }

  async #ask(model: string, payment: Payment, tally: Tally): Promise<{ model: string; score: number } | null> {
    const { customerId, terminalId, at, fraud } = payment
    const given = await this.#mill.predictMany({
      model,
      entities: [{ customer_id: customerId, terminal_id: terminalId }],
      asOf: at + 1,
      // A busy machine is no fault of the model, and this is no test of one.
      deadlineMs: 60_000,
    })
    const [prediction] = given.predictions
    if (prediction?.outcome !== 'served') {
      tally.unscored += 1
      return null
    }
    const score = Number(prediction.output['score'])
    const alarm = score >= alarmScore
    tally.scored += 1
    if (fraud && alarm) tally.caught += 1
    if (fraud && !alarm) tally.missed += 1
    if (!fraud && alarm) tally.falseAlarms += 1
    return { model: given.model.name, score }
  }

  #auc(index: 0 | 1): number | null {
    const frauds = this.#labelled.filter(({ fraud }) => fraud)
    const others = this.#labelled.filter(({ fraud }) => !fraud).map(({ scores }) => scores[index])
    if (frauds.length === 0 || others.length === 0) return null
    others.sort((a, b) => a - b)
    const below = (score: number): number => (bound(others, score, false) + bound(others, score, true)) / 2
    return frauds.reduce((sum, { scores }) => sum + below(scores[index]), 0) / (frauds.length * others.length)
  }
}

function newTally(model: string): Tally {
  return { model, scored: 0, unscored: 0, caught: 0, missed: 0, falseAlarms: 0 }
}

/** How many of the ascending values are below one, or at most it. */
function bound(values: readonly number[], value: number, withEqual: boolean): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (values[middle]! < value || (withEqual && values[middle] === value)) low = middle + 1
    else high = middle
  }
  return low
}
