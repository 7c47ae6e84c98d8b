import { assert } from '../base/assert.ts'
import { MillraceError } from '../base/faults.ts'
import type { Definition } from '../definition/definition.ts'
import type { Log, LogRecord } from '../log/log.ts'
import type { Plan, ViewPlan } from '../plan/plan.ts'
import { registryTopic } from '../plan/topics.ts'
import { ChangeLog } from './change-log.ts'
import { definitionsFromJson, definitionsToJson } from './definitions-json.ts'
import { type Compiled, type Difference, differenceBetween, differenceLines } from './difference.ts'
import { decodeVersion, encodeVersion, type Version } from './version-record.ts'

export type { Version }

export type RegistryOptions = {
  readonly log: Log
  /** Compiles for this machine: its time-zone data is part of some plans. */
  readonly compile: (definitions: readonly Definition[]) => Plan
}

/** What is to become the next version. */
export type Proposal = Compiled & {
  readonly kind: Version['kind']
  /** Number of the version that it was planned against; 0: none. */
  readonly expected: number
  readonly at: string
  readonly note: string | null
}

/**
 * The versions of the definitions: a topic of one partition, read from its start. A record counts if the version it was
 * planned against is the last one that counts before it, and does not exist otherwise. So the order of the log decides
 * between writers that do not know of each other: one of them wins, and the others see, when they read back what they
 * appended, that theirs does not count.
 */
export class Registry {
  readonly #changes: ChangeLog
  readonly #compile: RegistryOptions['compile']
  readonly #versions: Version[] = []
  /** Where each version lies, in the order of `#versions`. */
  readonly #offsets: number[] = []
  readonly #compiled = new Map<number, Compiled>()

  private constructor({ log, compile }: RegistryOptions) {
    this.#changes = new ChangeLog({ log, topic: registryTopic, take: (record) => this.#take(record) })
    this.#compile = compile
  }

  /** Reads all versions; a log without a registry has none. Throws `REGISTRY_CORRUPT`, `REGISTRY_VERSION_UNKNOWN`. */
  static async open(options: RegistryOptions): Promise<Registry> {
    const registry = new Registry(options)
    await registry.refresh()
    return registry
  }

  /** All that were ever applied, oldest first. */
  get versions(): readonly Version[] {
    return this.#versions
  }

  /** The last one; null before the first. */
  get applied(): Version | null {
    return this.#versions.at(-1) ?? null
  }

  /** Number of the last one; 0 before the first. */
  get number(): number {
    return this.#versions.length
  }

  /** Throws `REGISTRY_NUMBER_UNKNOWN`. */
  version(number: number): Version {
    const version = this.#versions[number - 1]
    if (version !== undefined) return version
    const versions = this.#versions.length === 0 ? 'none' : `1 to ${this.#versions.length}`
    throw new MillraceError('REGISTRY_NUMBER_UNKNOWN', { number, versions })
  }

  /** The definitions of a version, compiled as this release does. Throws `REGISTRY_NUMBER_UNKNOWN`, `DEFINITION`. */
  compiled(number: number): Compiled {
    const known = this.#compiled.get(number)
    if (known !== undefined) return known
    const definitions = definitionsFromJson(this.version(number).definitions)
    const compiled = { definitions, plan: this.#compile(definitions) }
    this.#compiled.set(number, compiled)
    return compiled
  }

  /** Of every version that was compiled so far, newest first. What runs is one of them. */
  get plans(): readonly Plan[] {
    return [...this.#compiled].sort(([one], [other]) => other - one).map(([, { plan }]) => plan)
  }

  /** The plan of a hash, if a version has it and still compiles to it here. */
  planOf(hash: string): Plan | null {
    const version = this.#versions.findLast(({ plan }) => plan === hash)
    if (version === undefined) return null
    const { plan } = this.compiled(version.number)
    return plan.hash === hash ? plan : null
  }

  /** What these definitions would change; `keeps` as `differenceBetween` takes it. */
  differenceTo(after: Compiled, keeps?: (view: ViewPlan) => boolean): Difference {
    return differenceBetween(this.number === 0 ? null : this.compiled(this.number), after, keeps)
  }

  /** Throws `REGISTRY_CONFLICT`, with what was applied since, unless this is the last version. */
  expect(number: number): void {
    if (this.number !== number) throw this.#conflict(number)
  }

  /** Makes a proposal the next version, durably. Throws `REGISTRY_CONFLICT`, with what was applied meanwhile. */
  async append({ definitions, plan, kind, expected, at, note }: Proposal): Promise<Version> {
    await this.refresh()
    this.expect(expected)
    const data = definitionsToJson(definitions)
    const version = { number: expected + 1, previous: expected, kind, plan: plan.hash, definitions: data, at, note }
    const record = { key: null, value: encodeVersion(version), timestampMs: Date.parse(at) }
    const offset = await this.#changes.append(record)
    const won = this.#offsets.indexOf(offset)
    if (won < 0) throw this.#conflict(expected)
    this.#compiled.set(version.number, { definitions, plan })
    return this.#versions[won]!
  }

  /** Reads what was appended since, by whomever. */
  async refresh(): Promise<void> {
    await this.#changes.refresh()
  }

  #take(record: LogRecord): void {
    const version = decodeVersion(record)
    if (version.previous > this.number) {
      const place = `${registryTopic}/0@${record.offset}`
      const detail = `it follows version ${version.previous}, and the last one before it is ${this.number}`
      throw new MillraceError('REGISTRY_CORRUPT', { place, detail })
    }
    if (version.previous !== this.number) return
    this.#versions.push(version)
    this.#offsets.push(record.offset)
  }

  #conflict(expected: number): MillraceError {
    const { applied } = this
    if (applied === null || expected > applied.number) {
      return new MillraceError('REGISTRY_NUMBER_UNKNOWN', {
        number: expected,
        versions: applied === null ? 'none' : `1 to ${applied.number}`,
      })
    }
    const before = expected === 0 ? null : this.compiled(expected)
    const difference = differenceLines(differenceBetween(before, this.compiled(applied.number)))
    assert(applied.number !== expected, 'a conflict is with another version')
    const { number, at } = applied
    const list = difference.map((line) => `  ${line}`).join('\n')
    return new MillraceError('REGISTRY_CONFLICT', { expected, number, at, difference: list })
  }
}
