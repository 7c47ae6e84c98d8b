import { readFile } from 'node:fs/promises'
import { declareModel, type Mill } from 'millrace'
import { boosted, logistic } from '../models.ts'
import type { Payment } from '../payment.ts'
import { fraud } from '../registered.ts'

/** From here on a payment is looked into. */
export const alarmScore = 0.5
/** Payments that the champion scores before the challenger takes over. */
export const championCount = 150

type Asked = Pick<Mill, 'modelVersions' | 'predictMany'>
type Predictions = Awaited<ReturnType<Mill['predictMany']>>

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
  /** Answers of the registry, and those of them that were asked for while a version took over. */
  readonly served: number
  readonly whileSwapping: number
  readonly failed: number
  /** Answers by another version than the one that was just made live, or whose score is not that version's own. */
  readonly mixed: number
  /** Of the payments that both scored: the chance that a fraud scores above another. Null without both kinds. */
  readonly auc: {
    readonly champion: number | null
    readonly challenger: number | null
  }
}

/** Files of the versions that are pushed, in order; the models beside them are the same files. */
const artefacts = ['logistic', 'boosted'].map((name) => new URL(`../models/${name}.onnx`, import.meta.url))

/** A busy machine is no fault of the model, and this is no test of one. */
const deadlineMs = 60_000

/** Asked at once while a version takes over. */
const askersWhileSwapping = 4

/**
 * Scores payments as they come. A logistic regression, version 1 of the registry, answers, until boosted trees, version
 * 2, are promoted. Both run beside as models of their own: each answer has to be what the version that it names gives.
 */
export class Scorer {
  readonly #mill: Asked
  readonly #champion: Tally = newTally(logistic.name)
  readonly #challenger: Tally = newTally(boosted.name)
  readonly #labelled: {
    readonly fraud: boolean
    readonly scores: readonly [number, number]
  }[] = []
  readonly #counts = { served: 0, whileSwapping: 0, failed: 0, mixed: 0 }
  #swappedAt: number | null = null
  #count = 0

  private constructor(mill: Asked) {
    this.#mill = mill
  }

  /** With both versions pushed, and the first one live. */
  static async open(mill: Asked): Promise<Scorer> {
    const none = {
      metrics: {},
      tags: {},
      training: null,
      golden: null,
      source: null,
    }
    const description = { declaration: declareModel(fraud), ...none }
    for (const file of artefacts) {
      await mill.modelVersions.push({
        model: fraud.name,
        description,
        artefact: await readFile(file),
      })
    }
    await mill.modelVersions.promote(fraud.name, 1)
    return new Scorer(mill)
  }

  get count(): number {
    return this.#count
  }

  get scores(): Scores {
    return {
      champion: this.#champion,
      challenger: this.#challenger,
      swappedAt: this.#swappedAt,
      ...this.#counts,
      auc: { champion: this.#auc(0), challenger: this.#auc(1) },
    }
  }

  /** The score that is served, of a payment that is in the log; null where there is none. */
  async score(payment: Payment): Promise<number | null> {
    if (this.#swappedAt === null && this.#count >= championCount) {
      await this.#swap(payment)
      this.#swappedAt = payment.at
    }
    this.#count += 1
    const { served, champion, challenger } = await this.#ask(payment, this.#swappedAt === null ? 1 : 2)
    note(this.#champion, payment, champion)
    note(this.#challenger, payment, challenger)
    if (champion !== null && challenger !== null) {
      this.#labelled.push({
        fraud: payment.fraud,
        scores: [champion, challenger],
      })
    }
    return served
  }

  /** The challenger goes live, is rolled back, and goes live again, each time under requests. */
  async #swap(payment: Payment): Promise<void> {
    const { modelVersions } = this.#mill
    const changes = [
      { version: 2, make: () => modelVersions.promote(fraud.name, 2) },
      { version: 1, make: () => modelVersions.rollback(fraud.name) },
      { version: 2, make: () => modelVersions.promote(fraud.name, 2) },
    ]
    for (const { version, make } of changes) {
      let isDone = false
      const before = this.#counts.served
      const asking = async (): Promise<void> => {
        // Either version may answer, and the score has to be its own.
        do await this.#ask(payment, null)
        while (!isDone)
      }
      const askers = Array.from({ length: askersWhileSwapping }, asking)
      await make().finally(() => (isDone = true))
      await Promise.all(askers)
      this.#counts.whileSwapping += this.#counts.served - before
      await this.#ask(payment, version)
    }
  }

  /** @param live the version that has to answer; null while that changes. */
  async #ask(
    { customerId, terminalId, at }: Payment,
    live: number | null,
  ): Promise<{
    served: number | null
    champion: number | null
    challenger: number | null
  }> {
    const entities = [{ customer_id: customerId, terminal_id: terminalId }]
    const ask = (model: string) => this.#mill.predictMany({ model, entities, asOf: at + 1, deadlineMs })
    // Asked at once, so that all three read the same vector; what they say they have read must be the same.
    const answers = await Promise.all([ask(fraud.name), ask(logistic.name), ask(boosted.name)])
    const [served, champion, challenger] = answers.map(scoreOf) as [number | null, number | null, number | null]
    const { version } = answers[0].model
    this.#counts.served += 1
    if (served === null) this.#counts.failed += 1
    else {
      const isOwn = served === (version === 1 ? champion : challenger) && samePrefix(answers)
      if (!isOwn || (live !== null && version !== live)) this.#counts.mixed += 1
    }
    return { served, champion, challenger }
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

function scoreOf({ predictions: [prediction] }: Predictions): number | null {
  return prediction?.outcome === 'served' ? Number(prediction.output['score']) : null
}

function samePrefix(answers: readonly Predictions[]): boolean {
  return new Set(answers.map(({ prefix }) => JSON.stringify(prefix))).size === 1
}

function note(tally: Tally, { fraud: isFraud }: Payment, score: number | null): void {
  if (score === null) {
    tally.unscored += 1
    return
  }
  const alarm = score >= alarmScore
  tally.scored += 1
  if (isFraud && alarm) tally.caught += 1
  if (isFraud && !alarm) tally.missed += 1
  if (!isFraud && alarm) tally.falseAlarms += 1
}

function newTally(model: string): Tally {
  return {
    model,
    scored: 0,
    unscored: 0,
    caught: 0,
    missed: 0,
    falseAlarms: 0,
  }
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
