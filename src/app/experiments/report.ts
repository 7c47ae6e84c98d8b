import type { Clock } from '../../base/clock.ts'
import type { Experiment } from '../../definition/experiment.ts'
import type { Log } from '../../log/log.ts'
import {
  compareRates,
  type Comparison,
  type Interval,
  rateInterval,
  sampleRatio,
  type SampleRatio,
} from '../../model/experiment/statistics.ts'
import { checkExperiments, type OutcomePlan } from '../../plan/experiment-plan.ts'
import { inspect } from '../../plan/intake.ts'
import type { Plan } from '../../plan/plan.ts'
import { experimentDataTopic } from '../../plan/topics.ts'
import { type StoppedArm, Canaries } from './canaries.ts'
import type { Exposure } from './exposure.ts'

export type ArmReport = {
  readonly name: string
  readonly share: number
  /** Distinct subjects, each in the arm of its first prediction. */
  readonly subjects: number
  readonly predictions: number
  readonly failed: number
  /** Subjects with an outcome within the horizon of their first prediction; null: no outcome is declared. */
  readonly converted: number | null
  readonly rate: number | null
  readonly interval: Interval | null
  /** With the control; null: it is the control, or there is too little to say. */
  readonly comparison: Comparison | null
  /** Of models that run beside the arm and are not served. */
  readonly shadows: number
}

export type ExperimentReport = {
  readonly experiment: string
  readonly arms: readonly ArmReport[]
  readonly sampleRatio: SampleRatio
  /** Subjects that were in more than one arm: their overrides changed, or an arm was declared anew. */
  readonly crossed: number
  readonly stopped: readonly StoppedArm[]
}

type Subject = { readonly arm: string; readonly sinceMs: number; crossed: boolean; converted: boolean }

/** What the log says of an experiment: who was in which arm, and whose outcomes came in time. */
export async function reportExperiment(
  experiment: Experiment,
  { plan, log, clock }: { readonly plan: Plan; readonly log: Log; readonly clock: Clock },
): Promise<ExperimentReport> {
  const outcome = checkExperiments([experiment], plan)[0] ?? null
  const counts = new Map(experiment.arms.map(({ name }) => [name, { predictions: 0, failed: 0, shadows: 0 }]))
  const subjects = new Map<string, Subject>()
  await each({ log, clock }, experimentDataTopic, (value) => {
    const exposure = JSON.parse(Buffer.from(value).toString()) as Exposure
    const count = counts.get(exposure.variant)
    if (exposure.experiment_id !== experiment.name || count === undefined) return
    if (exposure.shadow === true) count.shadows += 1
    else {
      count.predictions += 1
      if (exposure.outcome === 'failed') count.failed += 1
      expose(subjects, exposure)
    }
  })
  if (outcome !== null) await join(subjects, outcome, { plan, log, clock })
  const all = [...subjects.values()]
  const arms = experiment.arms.map(({ name, share }): ArmReport => {
    const own = all.filter(({ arm }) => arm === name)
    const converted = own.filter((one) => one.converted).length
    const rates = outcome === null ? null : { subjects: own.length, converted }
    return {
      name,
      share,
      subjects: own.length,
      ...counts.get(name)!,
      converted: rates === null ? null : converted,
      rate: rates === null || own.length === 0 ? null : converted / own.length,
      interval: rates === null ? null : rateInterval(rates),
      comparison: null,
    }
  })
  const [control, ...others] = arms as [ArmReport, ...ArmReport[]]
  const of = ({ subjects: count, converted }: ArmReport) => ({ subjects: count, converted: converted! })
  const compared = others.map((arm) => ({
    ...arm,
    comparison: outcome === null ? null : compareRates(of(control), of(arm), { tau: experiment.outcome!.lift }),
  }))
  const stops = await Canaries.read(log)
  return {
    experiment: experiment.name,
    arms: [control, ...compared],
    sampleRatio: sampleRatio(arms.filter(({ share }) => share > 0)),
    crossed: all.filter((one) => one.crossed).length,
    stopped: stops.filter(({ experiment_id: id }) => id === experiment.name),
  }
}

function expose(subjects: Map<string, Subject>, { user_id: unit, variant, timestamp }: Exposure): void {
  const atMs = Date.parse(timestamp)
  const known = subjects.get(unit)
  const crossed = known !== undefined && known.arm !== variant
  if (known === undefined || atMs < known.sinceMs) {
    subjects.set(unit, { arm: variant, sinceMs: atMs, crossed: crossed || known?.crossed === true, converted: false })
  } else if (crossed) known.crossed = true
}

/** Marks the subjects that an event of the outcome's stream names in time. */
async function join(
  subjects: ReadonlyMap<string, Subject>,
  { stream: name, unit, converted, horizonMs }: OutcomePlan,
  { plan, log, clock }: { readonly plan: Plan; readonly log: Log; readonly clock: Clock },
): Promise<void> {
  const stream = plan.streams.find((one) => one.name === name)!
  await each({ log, clock }, stream.topic, (value, timestampMs) => {
    const inspected = inspect(stream, { value, timestampMs })
    if ('refusals' in inspected) return
    const { row, ts } = inspected
    const subject = subjects.get(String(row[unit] ?? ''))
    if (subject === undefined || ts < subject.sinceMs || ts >= subject.sinceMs + horizonMs) return
    if (converted === null || row[converted] === true) subject.converted = true
  })
}

/** Every record of a topic that has a value. */
async function each(
  { log, clock }: { readonly log: Log; readonly clock: Clock },
  topic: string,
  take: (value: Uint8Array, timestampMs: number) => void,
): Promise<void> {
  const { partitions = 0 } = log.topics().find((one) => one.topic === topic) ?? {}
  for (let partition = 0; partition < partitions; partition++) {
    for (let offset = log.start(topic, partition); offset < log.end(topic, partition); ) {
      const { records, next } = await log.read(topic, partition, offset, 4 * 1024 * 1024)
      for (const { value, timestampMs } of records) if (value !== null) take(value, timestampMs)
      offset = next
      await clock.turn()
    }
  }
}
