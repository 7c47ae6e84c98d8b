import type { Experiment } from '../definition/experiment.ts'
import { checkName } from './check-names.ts'
import { FaultList } from './faults.ts'
import { findOutcomeStream } from './outcome-plan.ts'
import type { Plan } from './plan.ts'

/** Where the outcomes of an experiment are found. */
export type OutcomePlan = {
  readonly stream: string
  /** Places in a row of the stream. */
  readonly unit: number
  readonly converted: number | null
  readonly horizonMs: number
}

/** Experiments that were checked, with their outcomes looked up. Throws `DEFINITION` with all faults at once. */
export function checkExperiments(experiments: readonly Experiment[], plan: Plan): (OutcomePlan | null)[] {
  const faults = new FaultList()
  const names = new Set<string>()
  for (const one of experiments) {
    checkName(one.name, 'experiment', one.name, faults)
    const models = [...one.arms.map(({ model }) => model), ...one.shadows].map((model) => model.name)
    if (names.has(one.name) || models.includes(one.name)) {
      faults.add(one.name, 'the name is taken', 'a name that no other experiment and no model has')
    }
    names.add(one.name)
    checkArms(one, faults)
    checkScore(one, plan, faults)
  }
  checkLayers(experiments, faults)
  const outcomes = experiments.map((one) => compileOutcome(one, plan, faults))
  faults.throwIfAny()
  return outcomes
}

function checkArms({ name, arms, overrides, canary }: Experiment, faults: FaultList): void {
  if (arms.length < 2) faults.add(`${name}.arms`, `there are ${arms.length}`, 'a control and at least one other')
  for (const arm of arms) {
    checkName(`${name}.arms.${arm.name}`, 'arm', arm.name, faults)
    const isFine = Number.isFinite(arm.share) && arm.share >= 0 && Math.round(arm.share * 100) === arm.share * 100
    if (!isFine) faults.add(`${name}.shares.${arm.name}`, `it is ${arm.share}`, 'hundredths, with two digits at most')
  }
  const total = arms.reduce((sum, { share }) => sum + Math.round(share * 100), 0) / 100
  if (total > 100) faults.add(`${name}.shares`, `they add up to ${total}`, 'at most 100')
  const declared = arms.map((arm) => arm.name)
  for (const [id, arm] of Object.entries(overrides)) {
    if (arm === null || declared.includes(arm)) continue
    faults.unknown(`${name}.overrides.${id}`, 'arm', { name: arm, declared })
  }
  const { failedMax = 0, latencyMsMax = 1 } = canary ?? {}
  if (!(failedMax >= 0 && failedMax <= 1)) faults.add(`${name}.canary.failedMax`, `it is ${failedMax}`, 'from 0 to 1')
  if (!(latencyMsMax > 0)) faults.add(`${name}.canary.latencyMsMax`, `it is ${latencyMsMax}`, 'more than 0')
}

/** Whose events are scored has a stream, and in it the subject. What the models need of it is checked with them. */
function checkScore({ name, score, unit }: Experiment, plan: Plan, faults: FaultList): void {
  if (score === null) return
  const stream = plan.streams.find((one) => one.name === score.on.name)
  const declared = plan.streams.map((one) => one.name)
  if (stream === undefined) faults.unknown(`${name}.score.on`, 'stream', { name: score.on.name, declared })
  else if (!Object.hasOwn(stream.fields, unit)) {
    faults.unknown(`${name}.unit`, `field of stream "${stream.name}"`, {
      name: unit,
      declared: Object.keys(stream.fields),
    })
  }
}

/** Parts of a layer lie within its hundred buckets, and apart. */
function checkLayers(experiments: readonly Experiment[], faults: FaultList): void {
  const layered = experiments.filter(({ layer }) => layer !== null)
  for (const [index, { name, layer }] of layered.entries()) {
    const { from, to } = layer!
    const isPart = Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 && from < to && to <= 100
    if (!isPart) faults.add(`${name}.layer`, `it is ${from} to ${to}`, 'whole buckets, from below to, within 0 to 100')
    for (const other of layered.slice(0, index)) {
      if (other.layer!.name !== layer!.name || other.layer!.to <= from || to <= other.layer!.from) continue
      faults.add(`${name}.layer`, `it shares buckets with "${other.name}"`, 'a part of the layer that no other has')
    }
  }
}

function compileOutcome({ name, outcome }: Experiment, plan: Plan, faults: FaultList): OutcomePlan | null {
  if (outcome === null) return null
  const path = `${name}.outcome`
  if (!(outcome.lift > 0)) faults.add(`${path}.lift`, `it is ${outcome.lift}`, 'more than 0')
  const found = findOutcomeStream(path, { stream: outcome.on.name, horizon: outcome.horizon }, { plan, faults })
  if (found === null) return null
  const { stream, horizonMs } = found
  const unit = found.place('unit', outcome.unit)
  const converted = outcome.converted === null ? null : found.place('converted', outcome.converted)
  const kind = outcome.converted === null ? undefined : stream.fields[outcome.converted]?.kind
  if (kind !== undefined && kind !== 'boolean') {
    faults.add(`${path}.converted`, `"${outcome.converted}" is ${kind}`, 'a boolean')
  }
  return { stream: stream.name, unit, converted, horizonMs }
}
