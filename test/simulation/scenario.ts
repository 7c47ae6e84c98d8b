/** What a seed stands for: everything about a run that is drawn before it begins. */
import { change, type Choices, type Definitions, drawChoices, makeDefinitions } from './definitions.ts'
import { drawFaultRates, type FaultKind, type FaultRates } from './faults.ts'
import { Random } from './random.ts'
import { drawMixture, type Mixture } from './workload.ts'
import type { Settings } from './world.ts'

/** Makes a run smaller than its seed says, to find out what of it matters. */
export type Limits = {
  /** Calls of `append` by producers. */
  readonly batches?: number | undefined
  /** Processes before the last one. */
  readonly lives?: number | undefined
  readonly without?: readonly FaultKind[] | undefined
}

export type Scenario = {
  readonly seed: number
  /** Definitions that are applied one in place of the other; the first one at first. */
  readonly variants: readonly Definitions[]
  readonly forgets: boolean
  readonly settings: Settings
  readonly mixture: Mixture
  readonly rates: FaultRates
  readonly sectorBytes: number
  readonly lives: number
  readonly batches: number
  readonly batchRecordsMax: number
  /** How likely it is that something is asked of the process, rather than that it goes on. */
  readonly haste: number
  /** Virtual time of every call. */
  readonly stepMs: number
  /** Reads of files come between other things only in some runs: they are most of what a process does. */
  readonly quickReads: boolean
}

/** From here on seeds also have what came later, pages, tiles and small chunks of ids: earlier ones stay the runs that they were. */
export const laterSeeds = 1_000_000

export function drawScenario(seed: number, limits: Limits): Scenario {
  const random = new Random(seed, 'scenario')
  const changes = random.chance(0.4) ? random.between(1, 3) : 0
  // What a view that comes later would have seen is gone by then: other definitions and retention have other runs.
  const retentionMs = changes === 0 && random.chance(0.4) ? random.pick([900, 3_000]) : null
  const choices: Choices[] = [drawChoices(random, { keepMs: retentionMs, isLater: seed >= laterSeeds })]
  for (let nth = 0; nth < changes; nth++) choices.push(change(random, random.pick(choices)))
  const variants = choices.map(makeDefinitions)
  const settings: Settings = {
    partitions: random.pick([1, 1, 2, 3]),
    segmentBytes: random.pick([400, 1_500, 6_000, 1_000_000]),
    tailBytesMax: random.pick([0, 600, 1_000_000]),
    readBytesMax: random.pick([1, 400, 1_000_000]),
    checkpointMs: random.pick([2, 10, 200, 1_000_000]),
    keysMax: random.pick([0, 1, 2, 1_000]),
    retentionMs,
  }
  const lives = random.between(1, 4)
  const batches = random.between(3, 18)
  const shape = {
    batchRecordsMax: random.pick([1, 3, 6]),
    sectorBytes: random.pick([16, 64, 512]),
    haste: random.pick([0.02, 0.1, 0.3]),
    stepMs: random.pick([0, 0.05, 0.3]),
    quickReads: random.chance(0.8),
  }
  return {
    seed,
    variants,
    forgets: random.chance(0.3),
    settings,
    mixture: drawMixture(random, distancesIn(variants[0]!.plan)),
    rates: drawFaultRates(random, new Set(limits.without ?? [])),
    lives: Math.min(lives, limits.lives ?? lives),
    batches: Math.min(batches, limits.batches ?? batches),
    ...shape,
  }
}

/** Where verdicts and values change: lateness, dedupe, windows and their offsets, and how far back a read may go. */
function distancesIn({ streams, views }: Definitions['plan']): number[] {
  const ofStreams = streams.flatMap(({ rules }) => [rules.latenessMs, rules.dedupeMs])
  const ofViews = views.flatMap(({ program }) => {
    const { windows, horizonMs, spanMs } = program
    const edges = windows.flatMap(({ lengthMs, offsetMs }) =>
      lengthMs === null ? [] : [offsetMs, offsetMs + lengthMs],
    )
    return [...edges, horizonMs + spanMs - 1, horizonMs - 1]
  })
  // What lies further apart than a run is long is never met.
  return [...new Set([...ofStreams, ...ofViews])].filter((distance) => distance > 0 && distance < 2_000)
}
