import { checkDuration } from './check-names.ts'
import type { FaultList } from './faults.ts'
import type { Plan, StreamPlan } from './plan.ts'

/** What came true later, as an experiment or a model declares it: by names. */
export type NamedOutcome = { readonly stream: string; readonly horizon: string }

export type OutcomeStream = {
  readonly stream: StreamPlan
  readonly horizonMs: number
  /** Of a field that a member of the declaration names. */
  place(member: string, field: string): number
}

/** The stream of an outcome, whose fields are then looked up; null where it is not there. */
export function findOutcomeStream(
  path: string,
  { stream: name, horizon }: NamedOutcome,
  { plan, faults }: { readonly plan: Plan; readonly faults: FaultList },
): OutcomeStream | null {
  const horizonMs = checkDuration(`${path}.horizon`, horizon, faults)
  const stream = plan.streams.find((one) => one.name === name)
  if (stream === undefined) {
    faults.unknown(`${path}.on`, 'stream', { name, declared: plan.streams.map((one) => one.name) })
    return null
  }
  const columns = Object.keys(stream.fields)
  const place = (member: string, field: string): number => {
    const found = columns.indexOf(field)
    if (found < 0) faults.unknown(`${path}.${member}`, 'field', { name: field, declared: columns })
    return found
  }
  return { stream, horizonMs, place }
}

/** How the labels of a model are found. */
export type NamedLabels = NamedOutcome & {
  /** The field that has the `request_id` of the prediction; null: the stream's id. */
  readonly id: string | null
  readonly label: string
}

export type LabelPlan = {
  readonly stream: StreamPlan
  /** Places in a row of the stream. */
  readonly id: number
  readonly label: number
  readonly horizonMs: number
}

const labelKinds = ['boolean', 'int', 'float']

export function placeLabels(
  path: string,
  labels: NamedLabels,
  place: { readonly plan: Plan; readonly faults: FaultList },
): LabelPlan | null {
  const { faults } = place
  const found = findOutcomeStream(path, labels, place)
  if (found === null) return null
  const { stream, horizonMs } = found
  if (labels.id === null && stream.id === null) {
    faults.add(`${path}.id`, `stream "${stream.name}" has no id`, 'the field that names the prediction')
    return null
  }
  const id = labels.id === null ? stream.id! : found.place('id', labels.id)
  const label = found.place('label', labels.label)
  const kind = stream.fields[labels.label]?.kind
  if (kind !== undefined && !labelKinds.includes(kind)) {
    faults.add(
      `${path}.label`,
      `"${labels.label}" is ${kind}`,
      'a boolean, or a number that is above 0 if it came true',
    )
  }
  return { stream, id, label, horizonMs }
}
