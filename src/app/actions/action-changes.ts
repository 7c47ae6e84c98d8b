import { MillraceError, messageOf } from '../../base/faults.ts'
import type { Log, LogRecord } from '../../log/log.ts'
import { actionChangesTopic } from '../../plan/topics.ts'
import { ChangeLog } from '../../registry/change-log.ts'

/** A record of `action-changes`. */
export type ActionChange = {
  readonly action: string
  /**
   * `begun`: it acts by this rule, on predictions from here on. `ended`: it is not among the definitions any more.
   * `stopped` and `resumed`: by whoever operates it, whatever the rule.
   */
  readonly change: 'begun' | 'ended' | 'stopped' | 'resumed'
  /** Of `begun`: the fingerprint of the action. */
  readonly rule?: string
  /** Of `begun`, and of `resumed` when what waited is passed over: the first offset of each partition that it acts on. */
  readonly from?: readonly number[]
  readonly at: string
  readonly note: string | null
}

/** What the changes of an action come to. */
export type ActionState = {
  /** By which it acts; null: it has ended. */
  readonly rule: string | null
  readonly from: readonly number[]
  /** Null while it is not stopped. */
  readonly stopped: { readonly at: string; readonly note: string | null } | null
}

const unknown: ActionState = { rule: null, from: [], stopped: null }

/** Since when each action acts, and which are stopped: in the log, whose order decides, so that all processes know. */
export class ActionChanges {
  readonly #states = new Map<string, ActionState>()
  readonly #changes: ChangeLog

  constructor(log: Log) {
    this.#changes = new ChangeLog({ log, topic: actionChangesTopic, take: (record) => this.#take(record) })
  }

  get next(): number {
    return this.#changes.next
  }

  get exists(): boolean {
    return this.#changes.exists
  }

  get names(): readonly string[] {
    return [...this.#states.keys()]
  }

  /** Of one that never began: neither rule nor place. */
  of(action: string): ActionState {
    return this.#states.get(action) ?? unknown
  }

  async create(): Promise<void> {
    await this.#changes.create()
  }

  async refresh(): Promise<void> {
    await this.#changes.refresh()
  }

  async append(change: ActionChange): Promise<void> {
    const value = Buffer.from(JSON.stringify(change))
    await this.#changes.append({ key: Buffer.from(change.action), value, timestampMs: Date.parse(change.at) })
  }

  #take(record: LogRecord): void {
    const change = read(record)
    const before = this.of(change.action)
    this.#states.set(change.action, after(before, change))
  }
}

function after(before: ActionState, { change, rule, from = before.from, at, note }: ActionChange): ActionState {
  switch (change) {
    case 'begun':
      return { ...before, rule: rule ?? null, from }
    case 'ended':
      // What was stopped stays so, should it come back.
      return { ...before, rule: null }
    case 'stopped':
      return { ...before, stopped: { at, note } }
    case 'resumed':
      return { ...before, from: from.map((offset, index) => Math.max(offset, before.from[index] ?? 0)), stopped: null }
  }
}

function read({ offset, value }: LogRecord): ActionChange {
  try {
    const found = JSON.parse(Buffer.from(value ?? '').toString()) as ActionChange
    if (typeof found.action === 'string' && ['begun', 'ended', 'stopped', 'resumed'].includes(found.change))
      return found
    throw new Error('it is no change of an action')
  } catch (error) {
    const place = `${actionChangesTopic}/0@${offset}`
    throw new MillraceError('REGISTRY_CORRUPT', { place, detail: messageOf(error) })
  }
}
