import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import { sha256 } from '../../base/hash.ts'
import type { Log, LogRecord, RecordInput } from '../../log/log.ts'
import type { ActionPlan } from '../../plan/plan.ts'
import { actionDeliveriesTopic, deadLetterTopic, predictionsTopic } from '../../plan/topics.ts'
import type { JsonObject } from '../../schema/decode.ts'
import { formatInstant } from '../../schema/instant.ts'
import type { OnlineStore } from '../../store/online/online-store.ts'
import { type AnswerContext, type Answered, Answerer, type Request } from '../../stream/answerer.ts'
import { type Reason, rejectionRecord } from '../../stream/rejection.ts'
import type { ActionState } from './action-changes.ts'
import { judge } from './judged.ts'
import { type Delivered, WebhookSender } from './webhook-sender.ts'

export type ActionRunnerOptions = {
  readonly plan: ActionPlan
  /** What its changes come to, now. */
  readonly state: () => ActionState
  readonly log: Log
  readonly store: OnlineStore
  readonly clock: Clock
  readonly random: () => number
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Since this process began. `dead`: of those met, or of predictions whose outputs were not what was declared. */
export type ActionCounts = { met: number; delivered: number; retried: number; dead: number }

/** What goes out for a prediction, or becomes of it in the log. */
type Met = { readonly request: Request; readonly id: string; readonly object: JsonObject }

/** How an action is named in headers and in the store. */
export function actionSource(action: string): string {
  return `action:${action}`
}

/**
 * One action at work: every record of `predictions` is judged, in the order of its partition, and what meets the rule is
 * answered on the action's topic, or by a request and then a record of what came of it.
 */
export class ActionRunner {
  readonly plan: ActionPlan
  readonly counts: ActionCounts = { met: 0, delivered: 0, retried: 0, dead: 0 }
  readonly #options: ActionRunnerOptions
  readonly #answerer: Answerer
  readonly #sender: WebhookSender | null
  /** Aborted while it is stopped, and when it ends. */
  #halt = new AbortController()
  #changed = Promise.withResolvers<void>()
  #isClosed = false

  /** The topics exist. Throws `ACTION_SECRET_MISSING`. */
  constructor(options: ActionRunnerOptions) {
    const { plan, log, store, clock, state } = options
    this.plan = plan
    this.#options = options
    this.#sender = this.#makeSender()
    const isWebhook = plan.to.type === 'webhook'
    this.#answerer = new Answerer({
      name: actionSource(plan.name),
      requests: predictionsTopic,
      answers: answersOf(plan),
      besides: [deadLetterTopic],
      log,
      store,
      clock,
      // Of a webhook, what is sent again after a crash.
      ...(plan.to.type === 'webhook' ? { batchMax: Math.max(16, plan.to.atOnce) } : {}),
      from: (partition) => state().from[partition] ?? 0,
      gate: (signal) => this.#gate(signal),
      answer: (requests, context) => (isWebhook ? this.#deliver(requests, context) : this.#tell(requests, context)),
    })
    this.stateChanged()
  }

  start(): void {
    this.#answerer.start()
  }

  /** Where it is in each partition of `predictions`, and what has stopped. */
  get partitions(): Answerer['partitions'] {
    return this.#answerer.partitions
  }

  async caughtUp(): Promise<void> {
    await this.#answerer.caughtUp()
  }

  /** Holds up what is under way when it was stopped, and goes on when it was resumed. */
  stateChanged(): void {
    const isStopped = this.#options.state().stopped !== null
    if (isStopped) this.#halt.abort()
    else if (this.#halt.signal.aborted && !this.#isClosed) this.#halt = new AbortController()
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  /** Attempts under way are waited for; what they come to is written. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#halt.abort()
    const closed = this.#answerer.close()
    this.#changed.resolve()
    await closed
    this.#sender?.close()
  }

  #makeSender(): WebhookSender | null {
    const { plan, environment, clock, random } = this.#options
    if (plan.to.type !== 'webhook') return null
    const secret = environment[plan.to.secretFrom] ?? ''
    if (secret === '') throw new MillraceError('ACTION_SECRET_MISSING', { action: plan.name, name: plan.to.secretFrom })
    const retried = (): void => {
      this.counts.retried += 1
    }
    return new WebhookSender({ plan: plan.to, secret, clock, random, retried })
  }

  async #gate(signal: AbortSignal): Promise<void> {
    while (this.#options.state().stopped !== null && !signal.aborted && !this.#isClosed) await this.#changed.promise
  }

  /** To a topic: of the prediction and the rule alone, so that it is the same however often it is made. */
  #tell(requests: readonly Request[], { partition }: AnswerContext): Promise<Answered[]> {
    const answers = requests.map((request): Answered => {
      const judged = judge(this.plan, request.record)
      if (judged.outcome === 'misfit') return this.#dead(request, { ...judged, partition })
      if (judged.outcome !== 'met') return null
      this.counts.met += 1
      this.counts.delivered += 1
      const { record } = request
      const id = this.#idOf(record, partition)
      return { answer: { key: record.key, value: bodyOf(this.plan, id, record), timestampMs: record.timestampMs } }
    })
    return Promise.resolve(answers)
  }

  async #deliver(requests: readonly Request[], { partition }: AnswerContext): Promise<Answered[]> {
    return await Promise.all(
      requests.map(async (request): Promise<Answered> => {
        const { record } = request
        const judged = judge(this.plan, record)
        if (judged.outcome === 'other' || judged.outcome === 'unmet') return null
        const id = this.#idOf(record, partition)
        const met = { request, id, object: judged.object }
        if (judged.outcome === 'misfit') {
          const { reason } = judged
          const answer = this.#note(met, { outcome: 'dead', reason: reason.code, detail: reason.path, attempts: 0 })
          return this.#dead(request, { reason, partition, answer })
        }
        const delivery = { id, body: bodyOf(this.plan, id, record), predictedMs: record.timestampMs }
        const delivered = await this.#sender!.deliver(delivery, this.#halt.signal)
        if (delivered === null) return 'later'
        this.counts.met += 1
        return this.#noted(met, delivered, partition)
      }),
    )
  }

  #noted(met: Met, delivered: Delivered, partition: number): Answered {
    const { outcome, attempts } = delivered
    if (outcome === 'delivered') {
      this.counts.delivered += 1
      return { answer: this.#note(met, { outcome, status: delivered.status, attempts }) }
    }
    const { reason: code, detail } = delivered
    const reason = { code, path: '', came: detail, allowed: 'an answer of status 200 to 299' }
    const answer = this.#note(met, { outcome, reason: code, detail, attempts })
    return this.#dead(met.request, { reason, partition, answer })
  }

  /** What `action-deliveries` says of a delivery. */
  #note({ request, id, object }: Met, about: object): RecordInput {
    const nowMs = this.#options.clock.now()
    const { request_id, user_id } = object
    const value = {
      delivery_id: id,
      action: this.plan.name,
      request_id,
      ...(user_id === undefined ? {} : { user_id }),
      ...about,
      timestamp: formatInstant(nowMs),
    }
    return { key: request.record.key, value: Buffer.from(JSON.stringify(value)), timestampMs: nowMs }
  }

  /** A dead letter; beside it an answer, so that it is not asked about again. */
  #dead(
    { record, found }: Request,
    about: { readonly reason: Reason; readonly partition: number; readonly answer?: RecordInput },
  ): Answered {
    this.counts.dead += 1
    const { reason, partition } = about
    const place = { stream: actionSource(this.plan.name), topic: predictionsTopic, partition, record }
    const letter = rejectionRecord({ ...place, why: { verdict: 'refused', refusals: [reason] } })
    const besides = found.has(deadLetterTopic) ? [] : [{ topic: deadLetterTopic, record: letter }]
    return { ...(about.answer === undefined ? {} : { answer: about.answer }), besides }
  }

  #idOf({ offset }: LogRecord, partition: number): string {
    const { log } = this.#options
    return deliveryId({ log: log.id, action: this.plan.name, partition, offset })
  }
}

/** Names what an action does about one prediction, whenever and by whichever process. */
function deliveryId(place: {
  readonly log: string
  readonly action: string
  readonly partition: number
  readonly offset: number
}): string {
  return sha256(JSON.stringify([place.log, place.action, place.partition, place.offset])).slice(0, 32)
}

export function answersOf({ to }: ActionPlan): string {
  return to.type === 'topic' ? to.topic : actionDeliveriesTopic
}

/** The prediction byte for byte: numbers do not pass through ours. */
function bodyOf({ name }: ActionPlan, id: string, { value }: LogRecord): Uint8Array {
  assert(value !== null, 'what was judged has a value')
  return Buffer.concat([
    Buffer.from(`{"id":${JSON.stringify(id)},"action":${JSON.stringify(name)},"prediction":`),
    value,
    Buffer.from('}'),
  ])
}
