import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Log } from '../../log/log.ts'
import { undeclared } from '../../plan/find.ts'
import type { ActionPlan, Plan } from '../../plan/plan.ts'
import { actionChangesTopic, deadLetterTopic, predictionsTopic } from '../../plan/topics.ts'
import type { ActionStatus, ResumeOptions } from '../../serve/http-service.ts'
import type { OnlineStore } from '../../store/online/online-store.ts'
import { notedPlaces } from '../../stream/answerer.ts'
import { ActionChanges } from './action-changes.ts'
import { type ActionCounts, ActionRunner, actionSource, answersOf } from './action-runner.ts'
import { changeAction, endsOf } from './change-action.ts'

export type ActionsOptions = {
  /** What is applied. */
  readonly plan: () => Plan
  readonly log: Log
  readonly store: OnlineStore
  readonly clock: Clock
  /** From 0 to below 1: spreads repetitions. */
  readonly random: () => number
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Of topics that do not exist yet. */
  readonly partitions: number
}

type Running = { readonly plan: ActionPlan; readonly runner: ActionRunner | null; readonly fault: Error | null }

/** The actions of what is applied, at work in one process: begun, changed and ended as the definitions are. */
export class Actions {
  readonly #options: ActionsOptions
  readonly #changes: ActionChanges
  readonly #running = new Map<string, Running>()
  readonly #stop = new AbortController()
  #syncing: Promise<void> = Promise.resolve()
  #following: Promise<void> | null = null
  #fault: Error | null = null

  private constructor(options: ActionsOptions) {
    this.#options = options
    this.#changes = new ActionChanges(options.log)
  }

  /** Notes since when each acts; what is predicted from then on is judged once they `start`. */
  static async open(options: ActionsOptions): Promise<Actions> {
    const actions = new Actions(options)
    await actions.#begin()
    return actions
  }

  start(): void {
    void this.planChanged()
  }

  /** Brings what acts in step with what is applied. What goes wrong is told by `faults`. */
  async planChanged(): Promise<void> {
    await this.#serially(async () => {
      await this.#begin()
      await this.#bring()
    })
  }

  /** Each, with what became of it in this process. */
  get states(): readonly ActionStatus[] {
    const { clock, log } = this.#options
    return this.#options.plan().actions.map((plan): ActionStatus => {
      const running = this.#running.get(plan.name)
      const { stopped } = this.#changes.of(plan.name)
      const partitions = running?.runner?.partitions ?? []
      const waiting = partitions.reduce(
        (sum, { partition, next }) => sum + Math.max(0, log.end(predictionsTopic, partition) - Math.max(next, 0)),
        0,
      )
      const oldest = partitions.flatMap(({ oldestMs }) => oldestMs ?? [])
      const fault = running?.fault ?? partitions.find((one) => one.fault !== null)?.fault ?? null
      const counts: ActionCounts = running?.runner?.counts ?? { met: 0, delivered: 0, retried: 0, dead: 0 }
      return {
        ...statusOf(plan),
        stopped,
        counts: { ...counts },
        waiting,
        oldestSeconds: oldest.length === 0 ? 0 : Math.max(0, clock.now() - Math.min(...oldest)) / 1_000,
        fault: fault?.message ?? null,
      }
    })
  }

  /** Why an action does nothing, or stands still in a partition, though nobody stopped it. */
  get faults(): readonly string[] {
    const own = this.states.flatMap(({ name, fault }) => (fault === null ? [] : [`action ${name}: ${fault}`]))
    return this.#fault === null ? own : [`actions: ${this.#fault.message}`, ...own]
  }

  /** Resolves once every prediction that is durable now is judged, and what met a rule is done. */
  async caughtUp(): Promise<void> {
    await this.#syncing
    for (const { runner } of this.#running.values()) await runner?.caughtUp()
  }

  /** Begins nothing more, here and in every process; resolves when that is durable. Throws `NAME_UNDECLARED`. */
  async stop(name: string, note: string | null = null): Promise<ActionStatus> {
    return await this.#change(name, { change: 'stopped', note })
  }

  /** Goes on where it was stopped; or, to `skip`, with what is predicted from now on. Throws `NAME_UNDECLARED`. */
  async resume(name: string, { skip = false, note = null }: ResumeOptions = {}): Promise<ActionStatus> {
    return await this.#change(name, { change: 'resumed', note, skip })
  }

  /** Attempts under way are waited for. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#syncing
    await this.#following
    await Promise.all([...this.#running.values()].map(async ({ runner }) => await runner?.close()))
  }

  async #change(name: string, what: Parameters<typeof changeAction>[1]): Promise<ActionStatus> {
    const { log, clock } = this.#options
    const plan = this.#options.plan().actions.find((one) => one.name === name)
    if (plan === undefined) {
      const declared = this.#options.plan().actions.map((one) => one.name)
      throw undeclared('action', name, declared)
    }
    await changeAction({ changes: this.#changes, log, clock, name }, what)
    this.#tellRunners()
    const state = this.states.find((one) => one.name === name)
    assert(state !== undefined, 'what is applied has the action still')
    return state
  }

  async #serially(work: () => Promise<void>): Promise<void> {
    const done = this.#syncing.then(work)
    this.#syncing = done.catch((error: unknown) => {
      this.#fault = error instanceof Error ? error : new Error(String(error))
    })
    await this.#syncing
  }

  /** Ends what is no longer applied, and begins what is new, or changed, where it is to begin. */
  async #begin(): Promise<void> {
    const { plan, clock } = this.#options
    const { actions } = plan()
    if (actions.length === 0 && !this.#changes.exists) return
    await this.#createTopics(actions)
    await this.#changes.refresh()
    const at = new Date(clock.now()).toISOString()
    for (const action of this.#changes.names) {
      if (this.#changes.of(action).rule === null || actions.some(({ name }) => name === action)) continue
      await this.#end(action)
      await this.#changes.append({ action, change: 'ended', at, note: null })
    }
    for (const { name, fingerprint } of actions) {
      const { rule } = this.#changes.of(name)
      if (rule === fingerprint) continue
      const from = rule === null ? await endsOf(this.#options.log) : await this.#progress(name)
      await this.#changes.append({ action: name, change: 'begun', rule: fingerprint, from, at, note: null })
    }
  }

  async #bring(): Promise<void> {
    if (this.#stop.signal.aborted) return
    const { plan, ...parts } = this.#options
    for (const action of plan().actions) {
      if (this.#running.get(action.name)?.plan.fingerprint === action.fingerprint) continue
      await this.#end(action.name)
      try {
        const runner = new ActionRunner({ plan: action, state: () => this.#changes.of(action.name), ...parts })
        this.#running.set(action.name, { plan: action, runner, fault: null })
        runner.start()
      } catch (error) {
        // The others act, and what is served is served.
        if (!(error instanceof MillraceError)) throw error
        this.#running.set(action.name, { plan: action, runner: null, fault: error })
      }
    }
    if (this.#changes.exists) this.#following ??= this.#follow()
  }

  async #end(name: string): Promise<void> {
    await this.#running.get(name)?.runner?.close()
    this.#running.delete(name)
  }

  /** Where the rule before has got to: what it has judged is not judged again. */
  async #progress(name: string): Promise<number[]> {
    const { log, store } = this.#options
    const running = this.#running.get(name)?.runner ?? null
    await this.#end(name)
    const { from } = this.#changes.of(name)
    const places = notedPlaces({ log, store }, actionSource(name), predictionsTopic)
    return places.map((noted, partition) =>
      Math.max(from[partition] ?? 0, running?.partitions[partition]?.next ?? noted),
    )
  }

  async #createTopics(actions: readonly ActionPlan[]): Promise<void> {
    const { log, partitions } = this.#options
    await this.#changes.create()
    const find = (topic: string) => log.topics().find((one) => one.topic === topic)
    if (find(predictionsTopic) === undefined) await log.createTopic(predictionsTopic, { partitions })
    const count = find(predictionsTopic)!.partitions
    for (const topic of [...(actions.length === 0 ? [] : [deadLetterTopic]), ...actions.map(answersOf)]) {
      if (find(topic) === undefined) await log.createTopic(topic, { partitions: count })
    }
  }

  #tellRunners(): void {
    for (const { runner } of this.#running.values()) runner?.stateChanged()
  }

  /** Learns what other processes stop and resume. */
  async #follow(): Promise<void> {
    const { log, clock } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await log.waitFor(actionChangesTopic, 0, this.#changes.next, signal)
        if (signal.aborted) return
        await this.#changes.refresh()
        this.#tellRunners()
      } catch (error) {
        if (signal.aborted) return
        this.#fault = error instanceof Error ? error : new Error(String(error))
        if (!(error instanceof MillraceError) || error.retry === 'never') return
        await clock.sleep(1_000, signal)
      }
    }
  }
}

/** What is known of an action wherever its definitions are. */
export function statusOf({ name, model, text, to }: ActionPlan): Pick<ActionStatus, 'name' | 'model' | 'when' | 'to'> {
  const target = to.type === 'topic' ? `topic ${to.topic}` : `webhook ${new URL(to.url).origin}`
  return { name, model, when: text, to: target }
}
