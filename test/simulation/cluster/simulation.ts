import { MillraceError } from '../../../src/base/faults.ts'
import type { Log } from '../../../src/log/log.ts'
import { compile } from '../../../src/plan/compile.ts'
import type { ViewPlan } from '../../../src/plan/plan.ts'
import { deadLetterTopic, featureStateTopic, ingestStateTopic, lateTopic } from '../../../src/plan/topics.ts'
import { ClusterEngine, type ClusterPartition } from '../../../src/stream/cluster/cluster-engine.ts'
import { makeEvent, payments, views } from '../../integration/kill-stream.ts'
import { assertMatchesLog } from '../../oracle/matches-log.ts'
import { together } from '../../stream/cluster/engines.ts'
import { Random } from '../random.ts'
import {
  type Actor,
  drainMicrotasks,
  keepUnhandledRejections,
  Scheduler,
  takeUnhandledRejection,
} from '../scheduler.ts'
import { makeSimulatedClock, WallClock } from '../simulated-clock.ts'
import { SimulatedStoreDisk, type StoreFaults } from '../simulated-store.ts'
import type { Sometimes } from '../sometimes.ts'
import { Violation, violation } from '../violation.ts'
import { auditStates } from './audit-states.ts'
import { type LogFaults, SimulatedLog } from './simulated-log.ts'

const plan = compile(views)
const startMs = Date.UTC(2024, 5, 1)
const noFaults: LogFaults = { slow: 0, refused: 0, lost: 0 }
const [sourcePartitions, processedPartitions] = [2, 2]

export type Outcome = {
  readonly seed: number
  readonly hash: string
  readonly steps: number
  readonly violation: Violation | null
}

/** A machine with a disk, and the process that runs on it. */
type Machine = { readonly disk: SimulatedStoreDisk; process: Process | null }
type Process = { readonly actor: Actor; readonly log: Log; engine: ClusterEngine | null; error: unknown }

/**
 * Runs one seed: machines whose processes start, die, and are given partitions with no regard to who has them, over a
 * log that delays and loses. In the end each partition is one process's, and what they say together is held against the
 * naive model of the raw topic; then once more from the state topics alone. Must be called where `drainMicrotasks` works.
 */
export function simulateCluster(
  seed: number,
  sometimes: Sometimes,
  trace: ((line: string) => void) | null = null,
): Outcome {
  keepUnhandledRejections()
  takeUnhandledRejection()
  const simulation = new ClusterSimulation(seed, sometimes, trace)
  let found: Violation | null = null
  try {
    simulation.run()
  } catch (error) {
    found = error instanceof Violation ? error : new Violation('the simulation works', String((error as Error).stack))
  }
  return { seed, hash: simulation.scheduler.hash, steps: simulation.scheduler.steps, violation: found }
}

class ClusterSimulation {
  readonly scheduler: Scheduler
  readonly #seed: number
  readonly #sometimes: Sometimes
  readonly #random: Random
  readonly #wall: WallClock
  readonly #log: SimulatedLog
  readonly #machines: Machine[]
  readonly #running = new Set<Process>()
  readonly #faults: LogFaults
  readonly #kills: number
  /** While nobody repairs what stale owners wrote, compaction may take something away that counts; nothing else may. */
  #mayDamage: boolean
  #compacted = false
  #sent = 0
  #lives = 0
  #ids = 0

  constructor(seed: number, sometimes: Sometimes, trace: ((line: string) => void) | null) {
    const random = new Random(seed, 'cluster')
    this.#seed = seed
    this.#sometimes = sometimes
    this.#random = random
    this.scheduler = new Scheduler(new Random(seed, 'schedule'), random.pick([0, 0.3]), trace)
    this.#wall = new WallClock(this.scheduler, startMs)
    this.#log = new SimulatedLog(new Random(seed, 'log'))
    this.#log.create(payments.topic, sourcePartitions)
    this.#machines = Array.from({ length: random.between(2, 3) }, () => ({
      disk: new SimulatedStoreDisk(),
      process: null,
    }))
    const rate = (highest: number): number => (random.chance(0.5) ? highest * 20 ** -random.next() : 0)
    this.#faults = { slow: rate(0.3), refused: rate(0.05), lost: rate(0.3) }
    this.#kills = rate(0.4)
    this.#mayDamage = random.chance(0.3)
  }

  run(): void {
    const actions = this.#random.between(20, 100)
    for (let action = 0; action < actions; action++) {
      this.#act()
      for (let steps = this.#random.pick([3, 30, 200]); steps > 0 && this.scheduler.pick(); steps--) this.#check()
    }
    this.#heal()
  }

  #act(): void {
    const random = this.#random
    const machine = random.pick(this.#machines)
    const { process } = machine
    if (process === null) return this.#open(machine, this.#faults)
    if (random.chance(this.#kills)) return this.#kill(machine)
    const { engine } = process
    if (engine === null) return
    const choice = random.below(10)
    if (choice < 4) this.#send()
    else if (choice < 7) engine.assign(this.#some())
    else if (choice < 8) void engine.revoke(this.#some()).catch((error: unknown) => this.#blame(process, error))
    else if (choice < 9) engine.follow(this.#some())
    else if (this.#mayDamage) this.#compact(this.#random.pick([0, 40, 40]))
    drainMicrotasks()
  }

  #some(): ClusterPartition[] {
    return this.#all().filter(() => this.#random.chance(0.5))
  }

  #all(): ClusterPartition[] {
    const of = (topic: string, count: number): ClusterPartition[] =>
      Array.from({ length: count }, (_, partition) => ({ topic, partition }))
    const entities = [...new Set(plan.views.map(({ entity }) => entity))]
    return [
      ...of(payments.topic, sourcePartitions),
      ...entities.flatMap((entity) => of(`processed-events.${entity}`, processedPartitions)),
    ]
  }

  #send(): void {
    const partition = this.#random.below(sourcePartitions)
    const records = Array.from({ length: this.#random.between(1, 20) }, () => {
      const number = Math.max(0, this.#sent++ - (this.#random.chance(0.1) ? 8 : 0))
      return { key: null, value: makeEvent(this.#seed, number), timestampMs: startMs }
    })
    this.#log.append(payments.topic, partition, records)
  }

  /** @param newest as many records are left as they are. */
  #compact(newest: number): void {
    for (const { topic, partitions } of this.#log.topics) {
      if (!isStateTopic(topic)) continue
      for (let partition = 0; partition < partitions; partition++) {
        if (this.#log.compact(topic, partition, newest) === 0) continue
        this.#compacted = true
        this.#sometimes.count('a state topic was compacted')
      }
    }
  }

  #open(machine: Machine, faults: LogFaults): void {
    if (this.#random.chance(0.2) && machine.disk.size > 0) {
      machine.disk.lose()
      this.#sometimes.count('a disk was lost')
    }
    const actor: Actor = { name: `process ${this.#lives++}`, dead: false }
    const storeFaults: StoreFaults = {
      failure: () => null,
      delayMs: () => (faults.slow > 0 && this.#random.chance(0.1) ? 3_000 : 0),
      survivesDeath: () => this.#random.chance(0.5),
    }
    const log = this.#log.mount(this.scheduler, actor, faults)
    const process: Process = { actor, log, engine: null, error: null }
    machine.process = process
    this.#running.add(process)
    ClusterEngine.open({
      plan,
      log,
      store: machine.disk.mount(this.scheduler, actor, storeFaults),
      clock: makeSimulatedClock(this.scheduler, this.#wall, actor),
      folder: 'store',
      partitions: sourcePartitions,
      processedPartitions,
      checkpointMs: this.#random.pick([2, 20, 500]),
      keysMax: this.#random.pick([1, 1_000]),
      makeId: () => `${this.#ids++}`,
      // With few entries per append, owners end between entries and their commit.
      appendBytesMax: this.#random.pick([1, 500, 1e6]),
      observer: {
        halt: ({ fault }) => this.#blame(process, fault),
        damage: ({ fault }) => {
          this.#sometimes.count('a state topic was damaged')
          if (!this.#mayDamage) this.#blame(process, fault)
        },
      },
    }).then(
      (engine) => {
        process.engine = engine
      },
      (error: unknown) => {
        process.error = error
      },
    )
    drainMicrotasks()
  }

  #kill(machine: Machine): void {
    this.scheduler.note(machine.process!.actor.name, 'killed')
    this.scheduler.kill(machine.process!.actor)
    this.#running.delete(machine.process!)
    machine.process = null
    drainMicrotasks()
  }

  #blame(process: Process, error: unknown): void {
    process.error ??= error
  }

  #check(): void {
    const unhandled = takeUnhandledRejection()
    if (unhandled !== null) {
      violation('no rejection goes unheard', String((unhandled.reason as Error)?.stack ?? unhandled.reason))
    }
    for (const { error, engine } of this.#running) {
      if (error !== null) violation('nothing halts', String((error as Error).stack))
      this.#countFaults(engine)
    }
  }

  #countFaults(engine: ClusterEngine | null): void {
    if (engine === null || this.scheduler.steps % 16 !== 0) return
    for (const { fault } of engine.troubles) {
      this.#sometimes.count(fault instanceof MillraceError ? fault.code : fault.name)
    }
  }

  // All trouble ends: each partition is given to one process, and everything must come together.

  #heal(): void {
    for (const machine of this.#machines) if (machine.process !== null) this.#kill(machine)
    this.#verify('from what is left', this.#machines, true)
    this.#auditStates()
    this.#compact(0)
    this.#mayDamage = false
    this.#verify('from the state topics alone', [{ disk: new SimulatedStoreDisk(), process: null }], true)
    this.#verify(
      'from the accepted events, with a follower',
      [{ disk: new SimulatedStoreDisk(), process: null }],
      false,
    )
  }

  /** Whoever had restored at any time came to what the commit said. */
  #auditStates(): void {
    for (const { topic, partitions } of this.#log.topics) {
      if (!isStateTopic(topic)) continue
      for (let partition = 0; partition < partitions; partition++) {
        const wrong = auditStates({ topic, records: this.#log.partition(topic, partition).records }, this.#sometimes)
        if (wrong === null || this.#compacted) continue
        violation('each checkpoint is what its commit says', `${topic}/${partition}@${wrong}`)
      }
    }
  }

  #verify(what: string, machines: readonly Machine[], owns: boolean): void {
    for (const machine of machines) this.#open(machine, noFaults)
    this.#await(what, Promise.resolve(), () => machines.every(({ process }) => process!.engine !== null))
    const engines = machines.map(({ process }) => process!.engine!)
    const isSource = ({ topic }: ClusterPartition): boolean => topic === payments.topic
    for (const [index, place] of this.#all().entries()) {
      const engine = engines[index % engines.length]!
      if (owns || isSource(place)) engine.assign([place])
      else engine.follow([place])
    }
    for (const engine of engines) this.#await(`${what}: caught up`, engine.caughtUp())
    for (const engine of engines) {
      const [halted] = engine.halted
      if (halted !== undefined) violation(`nothing is missing ${what}`, halted.fault.message)
      this.#await(`${what}: checkpoint`, checkpointed(engine))
    }
    // Counters of a follower are its owner's.
    const engine = together(plan, engines)
    const log = this.#readable()
    const subject = {
      plan,
      views,
      log,
      engine: owns
        ? engine
        : { counts: this.#counts!, state: (view: ViewPlan, key: Uint8Array) => engine.state(view, key) },
    }
    this.#counts = engine.counts
    this.#await(what, assertMatchesLog(subject, [0, 1, 45_000]))
    // What is late in the network arrives, is looked at, and is put right.
    const lateMs = this.scheduler.nowMs + 40_000
    while (this.scheduler.nowMs < lateMs && this.scheduler.pick()) this.#check()
    for (const machine of machines) this.#kill(machine)
  }

  #counts: ReturnType<typeof together>['counts'] | null = null

  #await(what: string, promise: Promise<unknown>, isDone: () => boolean = () => true): void {
    let settled = false
    let error: unknown = null
    promise.then(
      () => (settled = true),
      (reason: unknown) => {
        settled = true
        error = reason
      },
    )
    drainMicrotasks()
    for (let steps = 0; (!settled || !isDone()) && steps < stepsMax; steps++) {
      if (!this.scheduler.pick()) break
      this.#check()
    }
    if (error !== null) violation(what, String((error as Error).message ?? error).slice(0, 2_000))
    if (settled && isDone()) return
    const engines = [...this.#running].flatMap(({ engine }) => engine ?? [])
    const why = engines.flatMap(({ halted, troubles }) => [...halted, ...troubles]).map(({ fault }) => fault.message)
    violation('everything comes to an end', [what, ...why].join('; '))
  }

  /** For the model. A rejection that two owners wrote is in its topic twice, and is counted: readers know it by its place. */
  #readable(): Log {
    const log = this.#log.mount(this.scheduler, { name: 'model', dead: false }, noFaults)
    const seen = new Set<string>()
    return new Proxy(log, {
      get: (target, name) => {
        if (name === 'end') return (topic: string, partition: number) => this.#log.partition(topic, partition).end
        if (name === 'read') {
          return async (topic: string, partition: number, offset: number) => {
            const { records, end } = this.#log.partition(topic, partition)
            if (topic !== deadLetterTopic && topic !== lateTopic) {
              return await Promise.resolve({ records: records.filter((one) => one.offset >= offset), next: end })
            }
            const kept = records.filter(({ headers }) => {
              const from = `${topic} ${headers.map(([, value]) => Buffer.from(value).toString()).join(' ')}`
              if (seen.has(from)) this.#sometimes.count('a rejection was written twice')
              return !seen.has(from) && seen.add(from)
            })
            return { records: kept, next: end }
          }
        }
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
  }
}

/** A fence that was late in the network may take over from whoever has the task, who then takes it again. */
async function checkpointed(engine: ClusterEngine): Promise<void> {
  for (;;) {
    try {
      await engine.checkpoint()
      return
    } catch (error) {
      if (!(error instanceof MillraceError && error.code === 'TASK_FENCED')) throw error
      await engine.caughtUp()
    }
  }
}

function isStateTopic(topic: string): boolean {
  return topic.startsWith(ingestStateTopic('')) || topic.startsWith(featureStateTopic(''))
}

const stepsMax = 60_000
