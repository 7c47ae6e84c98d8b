import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CrashPoint, crashPoints } from '../../src/base/crash-points.ts'
import { makeRandom } from '../integration/kill-stream.ts'
import { needsChanges } from './crash-lives.ts'
import { type FaultKind, faultKinds, Lane, type Outcome, type Task } from './lane.ts'
import { straceMissing } from './strace.ts'

export type CampaignOptions = {
  readonly seed: number
  readonly lanes: number
  /** Goes on until so many faults have come, and for so long. */
  readonly faultsMin: number
  readonly durationMs: number
  readonly log: (text: string) => void
}

export type Campaign = {
  readonly seed: number
  readonly seconds: number
  readonly lanes: number
  readonly injected: Readonly<Record<FaultKind, number>>
  readonly crashPoints: Readonly<Record<CrashPoint, number>>
  /** Codes of the faults that processes ended with. */
  readonly faults: Readonly<Record<string, number>>
  /** What went on meanwhile: states deleted and made again from the log, definitions changed, entities forgotten. */
  readonly done: Readonly<Lane['done']>
  readonly skipped: readonly string[]
  readonly compared: { comparisons: number; records: number; deadLetters: number; late: number; values: number }
  readonly firstAnswerMs: readonly number[]
  readonly caughtUpMs: readonly number[]
  readonly drainMs: readonly number[]
}

/** How many processes a folder sees before it is compared for the last time, and another one begins. */
const livesPerEpoch = 24
const livesPerComparison = 8

/** Runs faults on several folders side by side. Throws at the first difference from the model. */
export async function runCampaign(options: CampaignOptions): Promise<Campaign> {
  const { seed, lanes, log } = options
  const startedAt = performance.now()
  const root = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))
  const missing = straceMissing()
  const kinds = faultKinds.filter((kind) => kind !== 'system call error' || missing === null)
  const tasks = new Tasks(kinds, makeRandom(seed))
  const outcomes: Outcome[] = []
  const tallies: Lane['tallies'] = []
  const done = { rebuilds: 0, applied: 0, forgotten: 0 }
  let stop = false
  const enough = (): boolean => {
    const injected = outcomes.filter(({ hit }) => hit).length
    return (
      stop || (injected >= options.faultsMin && performance.now() - startedAt >= options.durationMs && tasks.covered)
    )
  }
  const runLane = async (nth: number): Promise<void> => {
    const lane = new Lane(join(root, `lane-${nth}`), { seed: seed + nth * 101, changes: nth % 2 === 1 })
    for (let life = 1; !enough(); life++) {
      const task = tasks.next(lane.changes)
      const outcome = await lane.carryOut(task)
      tasks.done(outcome)
      if (!outcome.hit && outcome.point !== null) log(`${outcome.point} was not reached`)
      outcomes.push(outcome)
      if (life % livesPerComparison === 0) await lane.verify()
      if (life % livesPerEpoch === 0) lane.beginAnew()
      if (outcomes.length % 25 === 0)
        log(`${outcomes.length} processes, ${outcomes.filter(({ hit }) => hit).length} faults`)
    }
    await lane.verify()
    tallies.push(...lane.tallies)
    for (const name of ['rebuilds', 'applied', 'forgotten'] as const) done[name] += lane.done[name]
  }
  try {
    const running = Array.from({ length: lanes }, async (_, nth) => {
      try {
        await runLane(nth)
      } catch (error) {
        stop = true
        throw error
      }
    })
    const results = await Promise.allSettled(running)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  const seconds = (performance.now() - startedAt) / 1_000
  return {
    seed,
    seconds,
    lanes,
    done,
    skipped: missing === null ? [] : [`system call error: ${missing}`],
    ...summarise(outcomes, tallies),
  }
}

const triesMax = 12

/** First every crash point, again until it was reached; then all kinds in turn. */
class Tasks {
  readonly #points: CrashPoint[] = [...crashPoints]
  readonly #kinds: readonly FaultKind[]
  readonly #random: () => number
  readonly #tries = new Map<CrashPoint, number>()
  readonly #reached = new Set<CrashPoint>()
  #count = 0
  #underWay = 0

  constructor(kinds: readonly FaultKind[], random: () => number) {
    this.#kinds = kinds
    this.#random = random
  }

  /** Whether every crash point was reached. */
  get covered(): boolean {
    return this.#points.length === 0 && this.#underWay === 0
  }

  /** @param changes whether the definitions change meanwhile: some crash points are reached only then. */
  next(changes: boolean): Task {
    const kind = this.#kinds[this.#count++ % this.#kinds.length]!
    if (kind !== 'crash point') return { kind }
    const suits = (one: CrashPoint): boolean => changes || !needsChanges(one)
    const place = this.#points.findIndex(suits)
    const known = crashPoints.filter(suits)
    const point = place < 0 ? known[Math.floor(this.#random() * known.length)]! : this.#points.splice(place, 1)[0]!
    this.#underWay += 1
    return { kind, point }
  }

  done({ kind, point, hit }: Outcome): void {
    if (kind !== 'crash point') return
    this.#underWay -= 1
    if (hit) this.#reached.add(point!)
    if (hit) return
    const tries = (this.#tries.get(point!) ?? 0) + 1
    this.#tries.set(point!, tries)
    assert.ok(
      this.#reached.has(point!) || tries < triesMax,
      `crash point ${point} was not reached in ${tries} processes`,
    )
    // It was reached at some other time, or it is looked for once more.
    if (this.#reached.has(point!) || this.#points.includes(point!)) return
    this.#points.push(point!)
  }
}

function summarise(outcomes: readonly Outcome[], tallies: Lane['tallies']) {
  const hits = outcomes.filter(({ hit }) => hit)
  const numbers = (of: (outcome: Outcome) => number | null): number[] =>
    outcomes
      .map(of)
      .filter((value) => value !== null)
      .map((value) => Math.round(value))
      .sort((a, b) => a - b)
  const sum = (of: (tally: Lane['tallies'][number]) => number): number => tallies.reduce((all, one) => all + of(one), 0)
  return {
    injected: countBy(faultKinds, hits, ({ kind }) => kind),
    crashPoints: countBy(crashPoints, hits, ({ point }) => point),
    faults: Object.fromEntries(
      [...Map.groupBy(hits, ({ fault }) => fault ?? '')]
        .filter(([code]) => code !== '')
        .map(([code, of]) => [code, of.length]),
    ),
    compared: {
      comparisons: tallies.length,
      records: sum(({ records }) => records),
      deadLetters: sum(({ deadLetters }) => deadLetters),
      late: sum(({ late }) => late),
      values: sum(({ values }) => values),
    },
    firstAnswerMs: numbers(({ firstAnswerMs }) => firstAnswerMs),
    caughtUpMs: numbers(({ caughtUpMs }) => caughtUpMs),
    drainMs: numbers(({ drainMs }) => drainMs),
  }
}

function countBy<Name extends string>(
  names: readonly Name[],
  outcomes: readonly Outcome[],
  of: (outcome: Outcome) => Name | null,
): Record<Name, number> {
  const counts = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
  for (const outcome of outcomes) {
    const name = of(outcome)
    if (name !== null) counts[name] += 1
  }
  return counts
}

/** Of sorted numbers. */
export function percentile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null
}
