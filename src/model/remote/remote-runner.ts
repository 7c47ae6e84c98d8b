import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'
import type { ModelPlan } from '../../plan/model-plan.ts'
import { failAll, type ModelFailure, type ModelRows, type ModelRunner, type RunResult } from '../runner.ts'
import { runFitting } from '../tensors.ts'
import { Circuit, type CircuitState } from './circuit.ts'
import { MlflowScoring } from './mlflow.ts'
import { OpenInference } from './open-inference.ts'
import { MalformedAnswer, type RemoteProtocol } from './protocol.ts'
import { type RemoteCounts, remoteSecondsBounds, type RemoteWatch } from './remote-watch.ts'
import { RetryBudget } from './retry-budget.ts'
import { AnswerTooLong, type HttpAnswer, type HttpRequest, Transport } from './transport.ts'

/** Of what an asker allows, this share: the rest is for a fallback, and for the answer. */
const shareOfDeadline = 0.8
/** Between repetitions: doubled from one to the other. */
const pauseMsMin = 10
const pauseMsMax = 80

/**
 * A model on a server, all rows of a request in one request to it. It has `timeoutMs` for everything: waiting for a
 * connection, checks, repetitions. Whatever goes wrong over there is a failure of the rows.
 *
 * The model over there is checked before it is first asked, and again whenever the server was away: it may have come
 * back with another one. Opened, a misfit is a fault, `MODEL_REFUSED`; a server that is not reached is none, so that
 * this process starts without it, and the check is made up for.
 */
export async function openRemoteRunner(
  plan: ModelPlan,
  { clock, environment }: { readonly clock: Clock; readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<RemoteRunner> {
  const { from, name } = plan
  assert(typeof from !== 'function' && from.type === 'remote', 'the model is remote')
  const headers: Record<string, string> = {}
  for (const [header, variable] of Object.entries(from.headersFrom)) {
    const value = environment[variable]
    if (value === undefined || !/^[\t\x20-\x7e]+$/.test(value)) {
      const detail = `its header "${header}" comes from the environment variable ${variable}, which is ${value === undefined ? 'not there' : 'no header'}`
      throw new MillraceError('MODEL_REFUSED', { model: name, detail, allowed: `Set ${variable}.` })
    }
    headers[header.toLowerCase()] = value
  }
  const protocol = from.protocol === 'mlflow' ? new MlflowScoring(plan, from) : new OpenInference(plan, from)
  const runner = new RemoteRunner({ plan, clock, protocol, transport: new Transport({ ...from, headers }) })
  try {
    const misfit = await runner.tryOut()
    if (misfit !== null) throw new MillraceError('MODEL_REFUSED', { model: name, ...misfit })
    return runner
  } catch (error) {
    await runner.close()
    throw error
  }
}

type Parts = {
  readonly plan: ModelPlan
  readonly clock: Clock
  readonly protocol: RemoteProtocol
  readonly transport: Pick<Transport, 'send' | 'close'>
}

type Misfit = { readonly detail: string; readonly allowed: string }

class Failed extends Error {
  readonly failure: ModelFailure
  /** Whether the server answered, if only with a refusal: what a circuit goes by. */
  readonly answered: boolean

  constructor(reason: ModelFailure['reason'], detail: string, about: { answered: boolean; cause?: unknown }) {
    super(detail)
    this.failure = { reason, detail, cause: about.cause }
    this.answered = about.answered
  }
}

export class RemoteRunner implements ModelRunner, RemoteWatch {
  readonly checksum = null
  readonly server: string
  readonly remotes = [this]
  readonly #parts: Parts
  readonly #timeoutMs: number
  readonly #circuit: Circuit
  readonly #budget: RetryBudget
  #isChecked = false
  #answered = 0
  #repeated = 0
  readonly #seconds = { counts: new Array<number>(remoteSecondsBounds.length + 1).fill(0), sum: 0 }
  readonly #failed = new Map<ModelFailure['reason'], number>()

  constructor(parts: Parts) {
    const { from } = parts.plan
    assert(typeof from !== 'function' && from.type === 'remote', 'the model is remote')
    this.#parts = parts
    this.server = [new URL(from.url).host, ...(from.model === null ? [] : [from.model])].join('/')
    this.#timeoutMs = from.timeoutMs
    this.#circuit = new Circuit(parts.clock, from.pauseMs)
    this.#budget = new RetryBudget(from.retryShare)
  }

  get circuit(): CircuitState {
    return this.#circuit.state
  }

  get counts(): RemoteCounts {
    return { answered: this.#answered, failed: this.#failed, repeated: this.#repeated, seconds: this.#seconds }
  }

  get retriesLeft(): number {
    return this.#budget.left
  }

  /** What does not fit over there; null also where that could not be found out. */
  async tryOut(): Promise<Misfit | null> {
    try {
      return await this.#within(this.#timeoutMs, async (signal) => await this.#check(signal))
    } catch (error) {
      if (error instanceof Failed) return null
      throw error
    }
  }

  async run(rows: ModelRows, deadlineMs = Number.POSITIVE_INFINITY): Promise<readonly RunResult[]> {
    const leave = this.#circuit.ask()
    if (leave === null) {
      return this.#fail(rows, { reason: 'CIRCUIT_OPEN', detail: 'the server failed of late, and is left alone' })
    }
    let isAnswered = false
    const startedAt = this.#parts.clock.elapsed()
    try {
      // A server that was away may have come back with another model.
      if (leave.probe) this.#isChecked = false
      const results = await this.#within(Math.min(this.#timeoutMs, shareOfDeadline * deadlineMs), (signal) =>
        this.#ask(rows, signal),
      )
      isAnswered = true
      this.#answered += 1
      return results
    } catch (error) {
      if (!(error instanceof Failed)) throw error
      isAnswered = error.answered
      return this.#fail(rows, error.failure)
    } finally {
      this.#circuit.note(leave, isAnswered)
      this.#took((this.#parts.clock.elapsed() - startedAt) / 1_000)
    }
  }

  close(): Promise<void> {
    this.#parts.transport.close()
    return Promise.resolve()
  }

  async #ask(rows: ModelRows, signal: AbortSignal): Promise<readonly RunResult[]> {
    const { protocol } = this.#parts
    if (!this.#isChecked) {
      const misfit = await this.#check(signal)
      if (misfit !== null) {
        throw new Failed('REMOTE_REFUSED', `the model over there does not fit: ${misfit.detail}`, { answered: true })
      }
    }
    return await runFitting(
      rows,
      (row) => protocol.unfit(rows, row),
      async (fitting) => {
        const answer = await this.#send(protocol.request(fitting), signal)
        return understand(() => protocol.results(answer, fitting))
      },
    )
  }

  async #check(signal: AbortSignal): Promise<Misfit | null> {
    const { protocol } = this.#parts
    const answers: HttpAnswer[] = []
    for (const request of protocol.checks) answers.push(await this.#send(request, signal))
    const misfit = understand(() => protocol.check(answers))
    this.#isChecked = misfit === null
    return misfit
  }

  /** An answer of status 200. Sends again what did not reach the server, as long as time and budget last. */
  async #send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    this.#budget.earn()
    for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(2 * pauseMs, pauseMsMax)) {
      const outcome = await this.#sendOnce(request, signal)
      if (!(outcome instanceof Failed)) return outcome
      if (outcome.failure.reason !== 'REMOTE_DOWN' || !this.#budget.spend()) throw outcome
      await this.#parts.clock.sleep(pauseMs, signal)
      if (signal.aborted) throw outcome
      this.#repeated += 1
    }
  }

  async #sendOnce(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer | Failed> {
    let answer: HttpAnswer
    try {
      answer = await this.#parts.transport.send(request, signal)
    } catch (cause) {
      if (signal.aborted) return late()
      if (cause instanceof AnswerTooLong) {
        return new Failed('REMOTE_MALFORMED', 'the answer is too long', { answered: false, cause })
      }
      return new Failed('REMOTE_DOWN', 'the server could not be reached, or broke off', { answered: false, cause })
    }
    const { status, body } = answer
    if (status === 200) return answer
    const cause = new Error(`status ${status}: ${body.subarray(0, 500).toString()}`)
    // These say that another try may get an answer.
    if (status === 429 || status >= 500) {
      const reason = [429, 502, 503, 504].includes(status) ? 'REMOTE_DOWN' : 'REMOTE_REFUSED'
      return new Failed(reason, `the server answered with status ${status}`, { answered: false, cause })
    }
    return new Failed('REMOTE_REFUSED', `the server answered with status ${status}`, { answered: true, cause })
  }

  async #within<Result>(timeoutMs: number, ask: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const [over, done] = [new AbortController(), new AbortController()]
    void this.#parts.clock.sleep(Math.max(1, timeoutMs), done.signal).then(() => {
      if (!done.signal.aborted) over.abort()
    })
    try {
      return await ask(over.signal)
    } finally {
      done.abort()
    }
  }

  #took(seconds: number): void {
    const bin = remoteSecondsBounds.findIndex((bound) => seconds <= bound)
    this.#seconds.counts[bin < 0 ? remoteSecondsBounds.length : bin]! += 1
    this.#seconds.sum += seconds
  }

  #fail(rows: ModelRows, failure: ModelFailure): RunResult[] {
    this.#failed.set(failure.reason, (this.#failed.get(failure.reason) ?? 0) + 1)
    return failAll(rows, failure)
  }
}

function late(): Failed {
  return new Failed('REMOTE_LATE', 'the server did not answer in time', { answered: false })
}

function understand<Result>(read: () => Result): Result {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof MalformedAnswer)) throw cause
    throw new Failed('REMOTE_MALFORMED', `the answer is not understood: ${messageOf(cause)}`, {
      answered: false,
      cause,
    })
  }
}
