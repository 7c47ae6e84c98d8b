import { isDeepStrictEqual } from 'node:util'
import { assert } from '../../src/base/assert.ts'
import { onCrashPoint } from '../../src/base/crash-points.ts'
import { MillraceError } from '../../src/base/faults.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import type { Checkpoint } from '../../src/stream/checkpoint.ts'
import type { Definitions } from './definitions.ts'
import { type FaultKind, noFaults, ProcessFaults } from './faults.ts'
import { type Attempt, forgottenOnDisk, isSource, Ledger } from './ledger.ts'
import { type Base, type NotedRead, Oracle, type Rejected } from './oracle.ts'
import { auditOutputs, checkOutputs, describeRejected, type ExpectedOutputs } from './outputs-audit.ts'
import { checkCheckpoint, prefixOf, ProcessWatch } from './process-watch.ts'
import { Random } from './random.ts'
import { drawScenario, type Limits, type Scenario } from './scenario.ts'
import { type Actor, drainMicrotasks, keepUnhandledRejections, Scheduler, takeUnhandledRejection } from './scheduler.ts'
import { makeSimulatedClock, WallClock } from './simulated-clock.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedStoreDisk } from './simulated-store.ts'
import type { Sometimes } from './sometimes.ts'
import { Violation, violation } from './violation.ts'
import { userName, Workload } from './workload.ts'
import { openProcess, progressIn, type Running, storedCheckpoint } from './world.ts'

export type Outcome = {
  readonly seed: number
  /** Fingerprint of every step: equal for equal seeds. */
  readonly hash: string
  readonly steps: number
  readonly violation: Violation | null
}

export type RunOptions = { readonly limits?: Limits; readonly trace?: (line: string) => void }

/** Runs one seed to its end. Must be called where `drainMicrotasks` works. */
export function simulate(seed: number, sometimes: Sometimes, { limits = {}, trace }: RunOptions = {}): Outcome {
  keepUnhandledRejections()
  takeUnhandledRejection()
  const simulation = new Simulation(drawScenario(seed, limits), sometimes, trace ?? null)
  return simulation.run()
}

const startMs = Date.UTC(2024, 5, 1)
const stepsMax = 40_000
/** Where a store has pages of keys (`store-keys.ts`). */
const pageKeys = [Uint8Array.of(7), Uint8Array.of(9)] as const

/** A process of millrace, from its start to its end. */
type Life = {
  readonly actor: Actor
  readonly faults: ProcessFaults
  running: Running | null
  watch: ProcessWatch | null
  openError: unknown
  /** Of something that was asked of it and must not fail without a reason. */
  strayError: unknown
  /** How many of the forgotten had their effect for certain, and how many are on their way. */
  forgotten: number
  forgetting: number
  /** Sends without an answer so far. */
  sending: Set<Attempt>
}

class Simulation {
  readonly #scenario: Scenario
  readonly #sometimes: Sometimes
  readonly #scheduler: Scheduler
  readonly #random: Random
  readonly #faultRandom: Random
  readonly #wall: WallClock
  readonly #disk: SimulatedDisk
  readonly #store = new SimulatedStoreDisk()
  readonly #ledger: Ledger
  readonly #workload: Workload
  readonly #reads: NotedRead[] = []
  /** Where the histories began whose state was lost, and what of them a checkpoint covered. */
  readonly #lostHistories: { readonly base: Base; readonly covered: Checkpoint | null }[] = []
  #batchesLeft: number
  /** The definitions that are to run. */
  #wanted: Definitions
  #checkpoint: Checkpoint | null = null
  #base: Base | null = null
  #life: Life | null = null
  #lives = 0
  #ids = 0
  /** Batches that producers have no answer for. */
  #unanswered: Attempt[] = []

  constructor(scenario: Scenario, sometimes: Sometimes, trace: ((line: string) => void) | null) {
    const { seed, sectorBytes, settings, mixture, stepMs } = scenario
    this.#scenario = scenario
    this.#sometimes = sometimes
    this.#scheduler = new Scheduler(new Random(seed, 'schedule'), stepMs, trace)
    this.#random = new Random(seed, 'actions')
    this.#faultRandom = new Random(seed, 'faults')
    this.#wall = new WallClock(this.#scheduler, startMs)
    this.#disk = new SimulatedDisk(new Random(seed, 'disk'), sectorBytes)
    this.#ledger = new Ledger(settings.retentionMs)
    this.#workload = new Workload(new Random(seed, 'workload'), mixture, settings.partitions)
    this.#batchesLeft = scenario.batches
    this.#wanted = scenario.variants[0]!
    this.#store.onWrite = () => this.#onStoreWrite()
  }

  run(): Outcome {
    onCrashPoint((name) => this.#sometimes.count(name))
    let found: Violation | null = null
    try {
      for (let life = 0; life < this.#scenario.lives; life++) this.#live()
      this.#heal()
    } catch (error) {
      found =
        error instanceof Violation
          ? error
          : new Violation('the simulation itself works', String((error as Error).stack))
    }
    const { hash, steps } = this.#scheduler
    return { seed: this.#scenario.seed, hash, steps, violation: found }
  }

  // A life under faults.

  #live(): void {
    const { rates, haste, quickReads } = this.#scenario
    if (this.#random.chance(0.2)) this.#wanted = this.#random.pick(this.#scenario.variants)
    const life = this.#open(new ProcessFaults(this.#faultRandom, rates, quickReads))
    let actionsLeft = this.#random.between(1, 16)
    for (let steps = 0; steps < 4_000; steps++) {
      const weight = dangerOf(this.#scheduler.lastLabel)
      if (rates.kill > 0 && this.#random.chance(rates.kill * weight)) return this.#kill(life, 'killed at a step')
      if (rates.power > 0 && this.#random.chance(rates.power * weight)) return this.#cutPower(life)
      if (life.openError !== null) return this.#kill(life, 'it could not open')
      const idle = this.#scheduler.idle
      if (life.running !== null && actionsLeft > 0 && (idle || this.#random.chance(haste))) {
        actionsLeft -= 1
        this.#act(life)
      } else if (idle && actionsLeft === 0) break
      else if (!this.#scheduler.pick()) break
      this.#check(life)
    }
    this.#end(life)
  }

  /** All that was asked is done, or something hangs. */
  #end(life: Life): void {
    const { rates } = this.#scenario
    if (rates.power > 0 && this.#random.chance(0.3)) return this.#cutPower(life)
    if (life.running === null || (rates.kill > 0 && this.#random.chance(0.5))) return this.#kill(life, 'killed at rest')
    this.#close(life)
  }

  #close(life: Life): void {
    let closed = false
    const note = (error?: unknown): void => {
      closed = true
      if (error !== undefined) this.#blame(life, error, 'a process closes')
    }
    this.#scheduler.note(life.actor.name, 'close')
    life.running!.close().then(() => note(), note)
    drainMicrotasks()
    for (let steps = 0; steps < 2_000 && !closed; steps++) {
      if (!this.#scheduler.pick()) break
      this.#check(life)
    }
    if (closed) this.#sometimes.count('a process was closed')
    else if (life.faults.injected === 0) violation('a process closes', 'it hangs')
    this.#kill(life, closed ? 'closed' : 'killed while it closed')
  }

  #open(faults: ProcessFaults): Life {
    const actor: Actor = { name: `process ${this.#lives++}`, dead: false }
    const sending = new Set<Attempt>()
    const life: Life = {
      actor,
      faults,
      running: null,
      watch: null,
      openError: null,
      strayError: null,
      forgotten: 0,
      forgetting: 0,
      sending,
    }
    this.#life = life
    const { variants, settings } = this.#scenario
    const plans = [this.#wanted, ...variants].map(({ plan }) => plan)
    const ports = {
      fileSystem: this.#disk.mount(this.#scheduler, actor, faults.disk),
      store: this.#store.mount(this.#scheduler, actor, faults.store),
      clock: makeSimulatedClock(this.#scheduler, this.#wall, actor),
      makeId: () => `log ${this.#ids++}`,
    }
    this.#scheduler.note(actor.name, 'open')
    openProcess(plans, settings, ports).then(
      (running) => {
        life.running = running
      },
      (error: unknown) => {
        life.openError = error ?? new Error('nothing')
      },
    )
    drainMicrotasks()
    return life
  }

  // Always on.

  #check(life: Life): void {
    const unhandled = takeUnhandledRejection()
    if (unhandled !== null)
      violation('no rejection goes unheard', String((unhandled.reason as Error)?.stack ?? unhandled.reason))
    if (life.strayError !== null) throw life.strayError
    if (life.openError !== null) this.#judgeOpenError(life)
    const { running } = life
    if (running === null) return
    if (life.watch === null) this.#welcome(life, running)
    // What it says of itself is dear to ask for; what is wrong once mostly stays so.
    if (this.#scheduler.steps % 4 === 0 || running.halted.length > 0) life.watch!.check(this.#checkpoint)
    for (const { fault } of running.halted) this.#blame(life, fault, 'nothing stops a partition without a fault')
    if (running.fault !== null) this.#blame(life, running.fault, 'nothing stops an engine without a fault')
  }

  /** A process has opened: what it found is held against the book, and perhaps read at once. */
  #welcome(life: Life, running: Running): void {
    this.#ledger.audit(this.#disk, running.log, this.#wall.newestMs)
    auditOutputs(this.#disk, running.log, this.#ledger)
    life.watch = new ProcessWatch(running, this.#checkpoint)
    if (this.#checkpoint !== null) {
      this.#sometimes.count('a checkpoint was restored')
      assert(this.#base !== null, 'who wrote a checkpoint had begun somewhere')
    }
    // Nothing of it was kept, and it had begun elsewhere: what it wrote into output topics may be there all the same.
    if (this.#checkpoint === null && this.#base !== null) this.#lostHistories.push({ base: this.#base, covered: null })
    this.#base = life.watch.base
    life.forgotten = forgottenOnDisk(this.#disk, running.log).length
    if (this.#random.chance(0.5)) this.#readSome(life, 2)
    running.start()
    drainMicrotasks()
  }

  #judgeOpenError({ openError, faults }: Life): void {
    if (openError instanceof MillraceError && openError.code === 'LOG_OFFSET_OUT_OF_RANGE' && this.#removes) {
      // Retention went past what was folded. Whoever runs it starts again from what is left.
      this.#sometimes.count('retention overtook the state')
      this.#loseState()
      return
    }
    if (openError instanceof MillraceError && openError.code === 'LOG_CORRUPT') {
      violation('nothing that crashes do makes a log corrupt', openError.message)
    }
    if (faults.injected > 0) return
    violation('a process opens', String(openError instanceof Error ? openError.stack : openError))
  }

  /** Whether an error has a reason: something that went wrong with the machine. */
  #blame(life: Life, error: unknown, property: string): void {
    if (error instanceof Violation) throw error
    const code = error instanceof MillraceError ? error.code : ''
    if (error instanceof Error && error.name === 'AssertionFailure')
      violation('no assertion fails', String(error.stack))
    if (code === 'LOG_CORRUPT') violation('nothing that crashes do makes a log corrupt', String(error))
    if (this.#removes && causes(error).includes('LOG_OFFSET_OUT_OF_RANGE')) return
    if (life.faults.injected === 0) violation(property, String((error as Error).stack))
    this.#sometimes.count('a fault stopped an engine')
  }

  get #removes(): boolean {
    return this.#scenario.settings.retentionMs !== null
  }

  #onStoreWrite(): void {
    const running = this.#life?.running ?? null
    const written = storedCheckpoint(this.#store)
    if (written !== null && running !== null) checkCheckpoint(written, running, this.#checkpoint)
    this.#checkpoint = written
    this.#sometimes.count('a checkpoint was written')
  }

  // What is done to a process.

  #act(life: Life): void {
    const { rates } = this.#scenario
    const random = this.#random
    if (this.#happens('clock jump')) {
      this.#scheduler.note('machine', 'clock jump')
      this.#wall.jump(random.pick([-3_600_000, -100, 100, 600_000]))
    }
    const choice = random.below(100)
    if (this.#scenario.variants.length > 1 && random.chance(0.12)) this.#apply(life)
    else if (this.#scenario.forgets && random.chance(0.08)) this.#forget(life)
    else if (choice < 50) this.#send(life)
    else if (choice < 72) this.#readSome(life, 1)
    else if (choice < 82) this.#ask(life, 'checkpoint')
    else if (choice < 86) this.#ask(life, 'caught up')
    else if (choice < 90 && rates.kill + rates.power > 0 && random.chance(0.3)) this.#scheduler.advance(500)
    else if (choice < 93) this.#retain(life)
    else this.#scheduler.advance(random.pick([1, 10, 60, this.#removes ? 700 : 60]))
    drainMicrotasks()
  }

  #happens(kind: FaultKind): boolean {
    const rate = this.#scenario.rates[kind]
    return rate > 0 && this.#random.chance(rate)
  }

  #send(life: Life): void {
    const again = this.#unanswered.length > 0 && this.#random.chance(0.5) ? this.#unanswered.shift()! : null
    if (again !== null) {
      this.#sometimes.count('a producer sent again')
      this.#append(
        life,
        again,
        again.records.map(({ key, value, timestampMs }) => ({ key, value, timestampMs })),
      )
      return
    }
    if (this.#batchesLeft === 0) return
    this.#batchesLeft -= 1
    this.#scheduler.advance(this.#random.pick([0, 1, 7, this.#removes ? 400 : 30]))
    const topics = life.running!.log.topics().filter(({ topic }) => isSource(topic))
    const { topic } = this.#random.pick(topics)
    const count = this.#random.between(1, this.#scenario.batchRecordsMax)
    const { partition, records } = this.#workload.batch(count, this.#wall.now())
    this.#append(life, { topic, partition }, records)
  }

  #append(life: Life, { topic, partition }: { topic: string; partition: number }, records: Attempt['records']): void {
    const attempt = this.#ledger.begin({ topic, partition }, records)
    this.#scheduler.note('producer', `${topic}/${partition} attempt ${attempt.number} of ${records.length}`)
    life.sending.add(attempt)
    life.running!.log.append(topic, partition, attempt.records).then(
      (base) => {
        life.sending.delete(attempt)
        this.#settle(life, () => this.#ledger.acknowledge(attempt, base))
      },
      (error: unknown) => {
        life.sending.delete(attempt)
        if (this.#random.chance(0.7)) this.#unanswered.push(attempt)
        this.#settle(life, () => this.#blame(life, error, 'an append succeeds'))
      },
    )
  }

  #ask(life: Life, what: 'checkpoint' | 'caught up'): void {
    const running = life.running!
    const { plan } = running
    const before = prefixOf(running.counts)
    const ends = running.counts.sources.map(({ stream, partition }) => this.#endOf(running, stream, partition))
    this.#scheduler.note('operator', what)
    const asked = what === 'checkpoint' ? running.checkpoint() : running.caughtUp()
    asked.then(
      () =>
        this.#settle(life, () => {
          // Another plan may have other streams, which had not got as far.
          if (running.plan !== plan || running.halted.length > 0) return
          for (const [index, source] of running.counts.sources.entries()) {
            const { stream, partition } = source
            const next = what === 'checkpoint' ? (progressIn(this.#checkpoint, plan, source)?.next ?? -1) : source.next
            const least = what === 'checkpoint' ? before[stream]![partition]! : ends[index]!
            if (next < least) violation(`${what} means what it says`, `${stream}/${partition}: ${next}, not ${least}`)
          }
        }),
      (error: unknown) =>
        this.#settle(life, () => {
          if (running.fault === null && running.halted.length === 0 && !String(error).includes('it was closed')) {
            violation(`nothing but a fault prevents ${what}`, String(error))
          }
        }),
    )
  }

  #apply(life: Life): void {
    const running = life.running!
    const wanted = this.#random.pick(this.#scenario.variants)
    this.#wanted = wanted
    this.#scheduler.note('operator', `apply ${wanted.plan.hash.slice(0, 8)}`)
    const before = running.plan
    running.apply(wanted.plan).then(
      () =>
        this.#settle(life, () => {
          if (this.#wanted === wanted && running.plan.hash !== wanted.plan.hash) {
            violation('a plan that was applied is served', running.plan.hash)
          }
          if (before.hash !== wanted.plan.hash) this.#sometimes.count('a plan took over')
        }),
      (error: unknown) => this.#settle(life, () => this.#blameUnlessSuperseded(life, error)),
    )
  }

  #blameUnlessSuperseded(life: Life, error: unknown): void {
    if (error instanceof MillraceError && error.code === 'PLAN_SUPERSEDED')
      this.#sometimes.count('a plan was superseded')
    else if (!String(error).includes('it was closed')) this.#blame(life, error, 'a plan is applied')
  }

  #forget(life: Life): void {
    const running = life.running!
    const view = this.#random.pick(running.plan.views)
    const { entity } = view
    const { user, item } = this.#anyKey()
    const key = encodeKey(
      view.keys.map(({ field }) => field.kind),
      view.keys.map(({ name }) => (name === 'user' ? user : item)),
    )
    this.#scheduler.note('operator', `forget ${entity} ${user} ${item}`)
    life.forgetting += 1
    const ends = this.#acknowledgedEnds()
    running.forget(entity, key).then(
      (forgotten) =>
        this.#settle(life, () => {
          const all = forgottenOnDisk(this.#disk, running.log)
          const index = all.findIndex((one) => isDeepStrictEqual(one, forgotten))
          if (index < 0) violation('what was forgotten is durable', JSON.stringify(forgotten))
          life.forgotten = Math.max(life.forgotten, index + 1)
          for (const { topic, partition, end } of ends) {
            const covers = forgotten.prefix[topic]?.[partition]
            if (covers !== undefined && covers < end) {
              violation('all that was acknowledged before is forgotten', `${topic}/${partition}: ${covers} of ${end}`)
            }
          }
          this.#sometimes.count('an entity was forgotten')
        }),
      (error: unknown) =>
        this.#settle(life, () => {
          if (!String(error).includes('it was closed')) this.#blame(life, error, 'an entity is forgotten')
        }),
    )
  }

  /** One past what every source partition is known to hold. */
  #acknowledgedEnds(): { topic: string; partition: number; end: number }[] {
    const { topics } = this.#ledger
    return topics.map((place) => ({ ...place, end: this.#ledger.end(place) }))
  }

  #anyKey(): { readonly user: string; readonly item: number } {
    const { users, items } = this.#workload.mixture
    return { user: userName(this.#random.below(users)), item: this.#random.below(items) }
  }

  #endOf(running: Running, stream: string, partition: number): number {
    return running.log.end(running.plan.streams.find(({ name }) => name === stream)!.topic, partition)
  }

  #retain(life: Life): void {
    this.#scheduler.note('operator', 'retention')
    life
      .running!.log.enforceRetention()
      .catch((error: unknown) => this.#settle(life, () => this.#blame(life, error, 'retention succeeds')))
  }

  #settle(life: Life, work: () => void): void {
    try {
      work()
    } catch (error) {
      life.strayError ??= error
    }
  }

  #readSome(life: Life, count: number): void {
    for (let nth = 0; nth < count; nth++) {
      const view = this.#random.pick(this.#definitionsOf(life.running!).views)
      const any = this.#anyKey()
      const key = Object.keys(view.entity.keys).map((name) => any[name as 'user' | 'item'])
      const now = this.#wall.now()
      const asOf = this.#random.pick(['latest', now, now + 1, now - this.#random.below(60), now + 100] as const)
      this.#read(life, { view: view.name, key, asOf })
    }
  }

  #read(life: Life, { view, key, asOf }: Pick<NotedRead, 'view' | 'key' | 'asOf'>): void {
    const running = life.running!
    const definitions = this.#definitionsOf(running)
    const names = Object.keys(definitions.views.find(({ name }) => name === view)!.entity.keys)
    const keys = Object.fromEntries(names.map((name, index) => [name, key[index]]))
    let answer: NotedRead['answer']
    try {
      answer = running.read(view, keys, { asOf })
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      answer = error
      this.#sometimes.count('a read was before its horizon')
    }
    const { base } = life.watch!
    const forgotten = { least: life.forgotten, most: life.forgotten + life.forgetting }
    const noted = { definitions, view, key, asOf, base, prefix: prefixOf(running.counts), forgotten, answer }
    this.#reads.push({ ...noted, step: this.#scheduler.steps })
    this.#scheduler.note(
      'reader',
      `${view} ${asOf} ${answer instanceof Error ? answer.message : JSON.stringify(answer.values)}`,
    )
  }

  #definitionsOf({ plan }: Running): Definitions {
    return this.#scenario.variants.find((one) => one.plan.hash === plan.hash)!
  }

  // Ends.

  #kill(life: Life, why: string): void {
    this.#scheduler.note(life.actor.name, why)
    this.#scheduler.kill(life.actor)
    drainMicrotasks()
    if (life.strayError !== null) throw life.strayError
    this.#life = null
    for (const attempt of life.sending) if (this.#random.chance(0.7)) this.#unanswered.push(attempt)
    if (life.sending.size > 0) this.#sometimes.count('a process died with appends under way')
    if (this.#happens('state lost')) this.#loseState()
  }

  #cutPower(life: Life): void {
    this.#scheduler.note('machine', 'power cut')
    this.#kill(life, 'power cut')
    this.#disk.cutPower()
    this.#sometimes.count('the power was cut')
  }

  #loseState(): void {
    this.#scheduler.note('machine', 'state lost')
    if (this.#base !== null && this.#checkpoint !== null) this.#sometimes.count('a state was lost')
    if (this.#base !== null) this.#lostHistories.push({ base: this.#base, covered: this.#checkpoint })
    this.#store.lose()
    this.#checkpoint = null
  }

  // The end of every run: no more faults, everything is read, and all of it is right.

  #heal(): void {
    if (this.#random.chance(0.2)) this.#wanted = this.#random.pick(this.#scenario.variants)
    const life = this.#openHealthy()
    const running = life.running!
    while (this.#batchesLeft > 0 || this.#unanswered.length > 0) {
      this.#send(life)
      if (this.#random.chance(0.5)) this.#until(life, 'appends end', () => life.sending.size === 0)
    }
    this.#until(life, 'appends end', () => life.sending.size === 0)
    this.#wait(life, 'the plan is there', running.settled())
    this.#wait(life, 'it catches up', running.caughtUp())
    if (running.fault !== null || running.halted.length > 0) {
      // Retention was quicker than the engine. Only then may anything stop on a healthy machine.
      this.#kill(life, 'overtaken')
      this.#loseState()
      return this.#heal()
    }
    this.#wait(life, 'a last checkpoint', running.checkpoint())
    this.#judge(life)
    this.#close(life)
    if (this.#random.chance(0.35)) this.#reopen()
  }

  /** What was closed in good order is read again as it was, power cut or not, and does nothing anew. */
  #reopen(): void {
    if (this.#random.chance(0.7)) {
      this.#scheduler.note('machine', 'power cut')
      this.#disk.cutPower()
    }
    const number = this.#checkpoint?.number
    const life = this.#openHealthy()
    this.#wait(life, 'it catches up', life.running!.caughtUp())
    // A state that was lost meanwhile is built again, and is written like any other.
    if (number === undefined) this.#wait(life, 'a last checkpoint', life.running!.checkpoint())
    this.#judge(life)
    if (number !== undefined && this.#checkpoint?.number !== number)
      violation('who has nothing to do writes no checkpoint', '')
    this.#kill(life, 'done')
  }

  #openHealthy(): Life {
    for (let attempt = 0; attempt < 5; attempt++) {
      const life = this.#open(noFaults(this.#faultRandom, this.#scenario.quickReads))
      this.#until(life, 'a process opens', () => life.running !== null || life.openError !== null)
      if (life.running !== null) return life
      this.#kill(life, 'it could not open')
    }
    violation('a process opens', 'not at the fifth attempt')
  }

  #judge(life: Life): void {
    const running = life.running!
    const base = life.watch!.base
    const definitions = this.#definitionsOf(running)
    if (definitions !== this.#wanted && definitions.plan.hash !== this.#wanted.plan.hash) {
      violation('a plan that was applied is served', definitions.plan.hash)
    }
    life.watch!.check(this.#checkpoint)
    this.#ledger.audit(this.#disk, running.log, this.#wall.newestMs)
    const oracle = new Oracle(this.#ledger, forgottenOnDisk(this.#disk, running.log))
    oracle.checkCounts(running.counts, definitions, base)
    for (const view of definitions.views) {
      const keys = oracle.keysOf(view, base)
      // Of many keys a few: there are many runs.
      const first = this.#random.below(Math.max(1, keys.length - 4))
      for (const key of keys.slice(first, first + 5)) {
        const instants = oracle.instantsOf(view, base, key)
        for (const asOf of this.#edges(running, view.name, instants)) this.#read(life, { view: view.name, key, asOf })
      }
    }
    for (const read of this.#reads) oracle.checkRead(read)
    this.#sometimes.count('reads judged', this.#reads.length)
    this.#reads.length = 0
    const rejected = oracle.rejected(definitions, base)
    this.#countVerdicts(running, rejected)
    this.#sometimes.count('a page', this.#store.entries(...pageKeys).length)
    checkOutputs(auditOutputs(this.#disk, running.log, this.#ledger), this.#expectedOutputs(oracle, rejected, base))
  }

  /**
   * Of several definitions each rejects by its own rules while it is served: what all of them reject must be there, and
   * nothing that none does.
   */
  #expectedOutputs(oracle: Oracle, rejected: readonly Rejected[], base: Base): ExpectedOutputs {
    const { variants } = this.#scenario
    if (variants.length > 1) {
      const all = variants.map((one) => oracle.rejected(one, base))
      const names = all.map((list) => new Set(list.map(describeRejected)))
      const required = rejected.filter((one) => names.every((known) => known.has(describeRejected(one))))
      return { required, allowed: all.flat() }
    }
    const lost = this.#lostHistories.map((one) => ({ ...one, rejected: oracle.rejected(variants[0]!, one.base) }))
    const covered = lost.flatMap((one) =>
      one.rejected.filter((record) => isCovered(record, { plan: variants[0]!.plan, covered: one.covered })),
    )
    return { required: [...rejected, ...covered], allowed: lost.flatMap((one) => one.rejected) }
  }

  /** Instants at which a view's value changes, or may no longer be asked for. */
  #edges({ plan }: Running, name: string, instants: readonly number[]): (number | 'latest')[] {
    const { horizonMs, windows } = plan.views.find((view) => view.name === name)!.program
    const last = instants.at(-1) ?? startMs
    const near = instants[this.#random.below(instants.length)] ?? startMs
    const { lengthMs, offsetMs } = this.#random.pick(windows)
    const edge = near + offsetMs + this.#random.pick([0, lengthMs ?? 0]) + this.#random.below(2)
    return ['latest', edge, last + 1 - horizonMs - this.#random.below(2), this.#wall.now()]
  }

  #countVerdicts({ counts }: Running, rejected: readonly Rejected[]): void {
    for (const { accepted, duplicate, late, refused, conflicts } of counts.sources) {
      this.#sometimes.count('accepted', accepted)
      this.#sometimes.count('a duplicate', duplicate)
      this.#sometimes.count('a late event', late)
      this.#sometimes.count('a refused event', refused)
      this.#sometimes.count('a conflicting duplicate', conflicts)
    }
    this.#sometimes.count('an output', rejected.length)
    for (const { filtered, unkeyed } of Object.values(counts.views)) {
      this.#sometimes.count('a filtered event', filtered)
      this.#sometimes.count('an event without a key', unkeyed)
    }
    const { tornWrites, lostNames, droppedPages } = this.#disk.counts
    this.#sometimes.count('a write was torn', tornWrites)
    this.#sometimes.count('a name was lost', lostNames)
    this.#sometimes.count('pages were dropped', droppedPages)
  }

  #wait(life: Life, what: string, work: Promise<unknown>): void {
    let done = false
    const note = (error?: unknown): void => {
      done = true
      if (error !== undefined) this.#settle(life, () => this.#blame(life, error, what))
    }
    work.then(() => note(), note)
    drainMicrotasks()
    this.#until(life, what, () => done || life.running!.fault !== null || life.running!.halted.length > 0)
  }

  #until(life: Life, what: string, done: () => boolean): void {
    drainMicrotasks()
    this.#check(life)
    while (!done()) {
      if (this.#scheduler.steps > stepsMax)
        violation('a healthy process gets there', `${what}: not in ${stepsMax} steps`)
      if (!this.#scheduler.pick()) violation('a healthy process gets there', `${what}: everything waits for ever`)
      this.#check(life)
    }
  }
}

/**
 * How much more likely a death is after a call. Between two steps that change nothing it is like any before or after;
 * the moment when outputs are durable, and the checkpoint is not, is short.
 */
function dangerOf(label: string): number {
  if (/^sync .*(late-events|dead-letter-queue)/.test(label)) return 10
  return /^(write|sync|rename|remove|truncate|store)/.test(label) ? 4 : 0.5
}

/** The codes of an error and of what caused it. */
function causes(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  return [...(error instanceof MillraceError ? [error.code] : []), ...causes(error.cause)]
}

/** Whether a checkpoint covers a source record: its output was durable before. */
function isCovered(
  { stream, partition, record }: Rejected,
  { plan, covered }: { readonly plan: Plan; readonly covered: Checkpoint | null },
): boolean {
  const progress = progressIn(covered, plan, { stream, partition })
  return progress !== null && record.offset < progress.next
}
