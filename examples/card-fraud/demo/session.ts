import { type Mill, millrace, startServer } from 'millrace'
import { fraudV1, scoring } from '../features.ts'
import type { FieldNames } from '../disturb.ts'
import { boosted, logistic } from '../models.ts'
import { fraud } from '../registered.ts'
import { disturb, simulatePayments } from '../simulator.ts'
import { type Batch, Feed } from './feed.ts'
import { Percentiles, RateMeter } from './meters.ts'
import { Prover } from './prover.ts'
import { Rejections } from './rejections.ts'
import { readAfter, recentPayments, takeSamples } from './samples.ts'
import { championCount, Scorer } from './scorer.ts'
import { makeSimulatedClock, type SimulatedClock } from './simulated-clock.ts'
import type { Place, ScoredPayment, Snapshot } from './snapshot.ts'

export type SessionOptions = {
  /** Empty or not yet there. */
  readonly folder: string
  readonly port: number
  readonly seed: number
  readonly customers: number
  /** Simulated time per real time, once the history is there. */
  readonly speed: number
}

const dayMs = 86_400_000
const minuteMs = 60_000
/** The longest window with its offset is 37 days: after 45 every one is full. */
const historyDays = 45
const liveMs = Date.UTC(2025, 5, 2)
const startMs = liveMs - historyDays * dayMs

const tickMs = 40
/** Where this machine cannot keep up, time goes slower rather than in leaps. */
const tickMsMax = 250
const proofPauseMs = 1_500
const rejectionsPauseMs = 300
const shownMax = 16
/** Payments that are scored at least, once the history is there. */
const scoredMin = 2 * championCount

/** A mill with an HTTP server, the payments that flow into it, and the proof that goes along. */
export class Session {
  readonly mill: Mill
  readonly rejections: Rejections
  readonly scorer: Scorer
  readonly #options: SessionOptions
  readonly #clock: SimulatedClock
  readonly #server: { readonly address: string; close(): Promise<void> }
  readonly #feed: Feed
  readonly #prover: Prover
  readonly #startedAt = performance.now()
  #endedAt: number | null = null
  readonly #accepted = new RateMeter(2_000)
  readonly #simulated = new RateMeter(2_000)
  #visibleMs = new Percentiles(256)
  readonly #readMs = new Percentiles(256)
  #shown: readonly ScoredPayment[] = []
  #fresh: { fraud?: ScoredPayment; other?: ScoredPayment } = {}
  #proofAt = 0
  #rejectionsAt = 0

  private constructor(options: SessionOptions, parts: Parts) {
    this.#options = options
    this.#clock = parts.clock
    this.mill = parts.mill
    this.#server = parts.server
    this.#prover = new Prover(options.folder)
    this.rejections = new Rejections(parts.mill)
    this.scorer = parts.scorer
    const { seed, customers } = options
    const payments = simulatePayments({
      seed,
      startMs,
      customers,
      terminals: 2 * customers,
    })
    this.#feed = new Feed(parts.mill, parts.clock, disturb(payments, { ...disturbance, seed }))
  }

  static async open(options: SessionOptions): Promise<Session> {
    const clock = makeSimulatedClock(startMs)
    const { folder } = options
    const mill = await millrace({
      definitions: [fraudV1, scoring],
      models: [logistic, boosted, fraud],
      folder,
      clock,
    })
    try {
      const server = await startServer({
        mill,
        host: '127.0.0.1',
        port: options.port,
        clock,
      })
      try {
        return new Session(options, {
          clock,
          mill,
          server,
          scorer: await Scorer.open(mill),
        })
      } catch (error) {
        await server.close()
        throw error
      }
    } catch (error) {
      await mill.close()
      throw error
    }
  }

  get place(): Place {
    return { folder: this.#options.folder, address: this.#server.address }
  }

  get feed(): Feed {
    return this.#feed
  }

  /** Streams until `signal` aborts: the history as fast as it goes, then at the pace asked for. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.isLive) await this.#step(liveMs)
    // The large batches of the history say nothing about how soon a payment is seen.
    if (!signal.aborted) this.#visibleMs = new Percentiles(256)
    let tickAt = performance.now()
    while (!signal.aborted) {
      await this.#clock.sleep(tickMs, signal)
      const now = performance.now()
      const untilMs = this.#clock.now() + Math.min(now - tickAt, tickMsMax) * this.#options.speed
      tickAt = now
      while (!signal.aborted && this.#feed.nextAt <= untilMs) await this.#step(untilMs)
      if (!signal.aborted) this.#clock.reach(Math.floor(untilMs))
    }
    this.#endedAt = performance.now()
  }

  /** Whether the history is there, so that payments come at their pace and are scored. */
  get isLive(): boolean {
    return this.#feed.nextAt >= liveMs
  }

  /** Compares a last set of samples, scores a least number of payments, and makes everything durable, so that all can be counted. */
  async settle(): Promise<void> {
    await this.#prover.settle()
    while (this.isLive && this.scorer.count < scoredMin) await this.#step(this.#feed.nextAt)
    for (let tries = 0; tries < 100; tries++) {
      const untilMs = this.#feed.nextAt + 30 * minuteMs
      const { set } = await takeSamples(this.mill, this.#feed, untilMs)
      if (set.samples.length > 0) {
        this.#prover.start(set)
        break
      }
      await this.#feed.send(this.#feed.take(this.#feed.nextAt))
    }
    await this.#prover.settle()
    await this.mill.engine.checkpoint()
    await this.rejections.read()
  }

  snapshot(): Snapshot {
    const { counts } = this.mill
    const nowMs = performance.now()
    const accepted = counts.sources.reduce((sum, source) => sum + source.accepted, 0)
    this.#accepted.note(nowMs, accepted)
    this.#simulated.note(nowMs, this.#clock.now())
    const { fraud, other } = this.#fresh
    this.#fresh = {}
    const fresh = [fraud, other].filter((one) => one !== undefined)
    this.#shown = [...fresh.toSorted((a, b) => b.payment.at - a.payment.at), ...this.#shown].slice(0, shownMax)
    const elapsedSeconds = ((this.#endedAt ?? nowMs) - this.#startedAt) / 1_000
    const simulatedAt = this.#clock.now()
    return {
      simulatedAt,
      warmUp: this.isLive ? null : (simulatedAt - startMs) / (liveMs - startMs),
      speed: this.#simulated.perSecond / 1_000,
      elapsedSeconds,
      rates: {
        now: this.#accepted.perSecond,
        overall: accepted / elapsedSeconds,
      },
      counts,
      payments: this.#shown,
      deadLetters: this.rejections.newest,
      latency: {
        visibleMsP50: this.#visibleMs.at(0.5),
        visibleMsP99: this.#visibleMs.at(0.99),
        readMsP50: this.#readMs.at(0.5),
      },
      scores: this.scorer.scores,
      proof: this.#prover.proof,
      place: this.place,
    }
  }

  async close(): Promise<void> {
    try {
      await this.#prover.close()
      await this.#server.close()
    } finally {
      await this.mill.close()
    }
  }

  /** The next batch, with samples taken of it now and then. */
  async #step(untilMs: number): Promise<void> {
    this.#prover.throwIfFailed()
    const now = performance.now()
    if (!this.#prover.busy && now - this.#proofAt > proofPauseMs) {
      const { set, sent } = await takeSamples(this.mill, this.#feed, untilMs)
      if (set.samples.length > 0) {
        this.#proofAt = now
        this.#prover.start(set)
        await this.#show(sent)
      }
    }
    const deliveries = this.#feed.take(untilMs)
    const sentAt = performance.now()
    const batch = await this.#feed.send(deliveries)
    if (deliveries.length > 0) this.#visibleMs.note(performance.now() - sentAt)
    await this.#show(batch)
    if (now - this.#rejectionsAt > rejectionsPauseMs) {
      this.#rejectionsAt = now
      await this.rejections.read()
    }
  }

  /** Scores the payments of a batch, and reads the features of its newest fraud and newest other, for people to see. */
  async #show(batch: Batch): Promise<void> {
    const recent = recentPayments(batch)
    const scores = new Map<string, number | null>()
    for (const payment of recent) {
      if (payment.at >= liveMs) scores.set(payment.paymentId, await this.scorer.score(payment))
    }
    const shown = (payment: ScoredPayment['payment']): ScoredPayment => ({
      payment,
      sample: this.#timedRead(payment),
      score: scores.get(payment.paymentId) ?? null,
    })
    const fraud = recent.findLast((payment) => payment.fraud)
    const other = recent.findLast((payment) => !payment.fraud)
    if (fraud !== undefined) this.#fresh.fraud = shown(fraud)
    if (other !== undefined) this.#fresh.other = shown(other)
  }

  #timedRead(payment: ScoredPayment['payment']): ScoredPayment['sample'] {
    const startedAt = performance.now()
    const sample = readAfter(this.mill, payment)
    this.#readMs.note(performance.now() - startedAt)
    return sample
  }
}

type Parts = {
  readonly clock: SimulatedClock
  readonly mill: Mill
  readonly scorer: Scorer
  readonly server: { readonly address: string; close(): Promise<void> }
}

/** Field of a simulated payment → the stream's field. */
export const wireNames: FieldNames = {
  paymentId: 'transaction_id',
  customerId: 'customer_id',
  terminalId: 'terminal_id',
  amount: 'amount',
  fraud: 'fraud',
  at: 'ts',
}

const disturbance = {
  duplicateShare: 0.01,
  lateShare: 0.01,
  malformedShare: 0.01,
  disorderMs: 5 * minuteMs,
  names: wireNames,
} as const
