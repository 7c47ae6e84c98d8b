import type { Definition } from '../definition/definition.ts'
import type { Entity } from '../definition/entity.ts'
import type { FeatureService } from '../definition/feature-service.ts'
import type { FeatureView } from '../definition/feature-view.ts'
import { type Gathered, gather } from '../definition/gather.ts'
import type { Stream } from '../definition/stream.ts'
import { type Fields, pathOf } from '../schema/field.ts'
import { nameOfType, typeOfField } from '../schema/value-type.ts'
import { checkDuration, checkName, checkTopic } from './check-names.ts'
import { type CompiledView, compileView } from './compile-view.ts'
import { checkFormat, checkRegistries, formatContent } from './check-format.ts'
import { compileActions } from './compile-action.ts'
import { compileFormat } from './event-format.ts'
import { FaultList } from './faults.ts'
import { fingerprintOf, hashOf } from './fingerprint.ts'
import { forgottenTopic } from './forgotten.ts'
import type { Plan, ServicePlan, StreamPlan, ViewPlan } from './plan.ts'
import { checkRetentions, compileRetention } from './retention.ts'
import { checkHistoryTopics, compileHistory } from './stream-history.ts'
import {
  deadLetterTopic,
  featureEventsPrefix,
  lateTopic,
  modelArtefactsTopic,
  modelRegistryTopic,
  registryTopic,
  replaysTopic,
  writerSchemasTopic,
} from './topics.ts'

/**
 * Checks definitions, with everything they refer to, and compiles them. Throws `DEFINITION` with all faults at once.
 *
 * @param timeZoneData version of the machine's time-zone data; part of the hash where a zone other than UTC is used.
 */
export function compile(definitions: readonly Definition[], timeZoneData = 'none'): Plan {
  const faults = new FaultList()
  const found = gather(definitions)
  checkNamesOnce(found, faults)
  const checked = new Map<FeatureView, CompiledView>()
  for (const stream of found.streams) checkStream(stream, faults)
  checkHistoryTopics(found.streams, faults)
  checkRegistries(found.streams, faults)
  for (const entity of found.entities) checkEntity(entity, faults)
  for (const view of found.views) {
    const compiled = compileView(view, faults)
    if (compiled !== null) checked.set(view, compiled)
  }
  checkRetentions(
    found.streams.map((stream) => ({
      name: stream.name,
      topic: stream.topic,
      plan: { rules: rulesOf(stream), retention: compileRetention(stream, faults) },
      views: found.views.filter(({ from }) => from === stream).flatMap((view) => checked.get(view)?.plan ?? []),
    })),
    faults,
  )
  for (const service of found.services) checkService(service, faults)
  if (found.views.length === 0) faults.add('definitions', 'there is no feature view', 'declare at least one')
  const actions = compileActions(found.actions, found.streams, faults)
  faults.throwIfAny()

  const streams = new Map(
    found.streams.map((stream) => {
      const own = found.views.filter(({ from }) => from === stream).map((view) => checked.get(view)!.plan)
      const plan = compileStream(stream, own)
      return [stream, { ...plan, fingerprint: fingerprintOf(streamContent(stream, plan), timeZoneData) }]
    }),
  )
  checkAlike([...streams.values()], faults)
  const compiled = new Map(
    found.views.map((view): [FeatureView, ViewPlan] => {
      const { plan, content } = checked.get(view)!
      const stream = streams.get(view.from)!.fingerprint
      return [view, { ...plan, fingerprint: fingerprintOf({ stream, ...content }, timeZoneData) }]
    }),
  )
  const views = [...compiled.values()]
  const services: ServicePlan[] = found.services.map(({ name, views: parts }) => ({
    name,
    views: parts.map((view) => compiled.get(view)!),
  }))
  return {
    hash: hashOf(describable(found), timeZoneData),
    definitions,
    streams: found.streams.map((stream) => ({
      ...streams.get(stream)!,
      views: found.views.filter(({ from }) => from === stream).map((view) => compiled.get(view)!),
    })),
    views,
    services,
    actions,
  }
}

/** Two things of one kind and name are a fault. */
function checkNamesOnce(found: Gathered, faults: FaultList): void {
  const names = new Set<string>()
  for (const { type, name } of [
    ...found.entities,
    ...found.streams,
    ...found.views,
    ...found.services,
    ...found.actions,
  ]) {
    if (names.has(`${type} ${name}`)) {
      faults.add(name, `there are two definitions of kind ${type} with this name`, 'names are unique within a kind')
    }
    names.add(`${type} ${name}`)
  }
}

/** Definitions as data: what two plans must share to be the same. */
function describable(found: Gathered): Readonly<Record<string, unknown>> {
  const byName = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
    list.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return {
    // As lists where the order has a meaning: that of join keys is the order inside a key's bytes.
    entities: byName(found.entities).map(({ name, keys }) => ({ name, keys: Object.entries(keys) })),
    streams: byName(found.streams),
    views: byName(found.views).map(({ from, entity, features, ...view }) => ({
      ...view,
      from: from.name,
      entity: entity.name,
      features: Object.entries(features).map(([name, { tree }]) => ({ name, tree })),
    })),
    services: byName(found.services).map(({ name, views }) => ({ name, views: views.map((view) => view.name) })),
    // No value depends on them, but what is applied does; definitions without any keep the hash they had.
    ...(found.actions.length === 0 ? {} : { actions: byName(found.actions) }),
  }
}

const fieldCountMax = 1_000

/** What the engine and its operators write for themselves. */
const ownTopics = [
  registryTopic,
  forgottenTopic,
  replaysTopic,
  writerSchemasTopic,
  modelRegistryTopic,
  modelArtefactsTopic,
]

function checkStream(stream: Stream, faults: FaultList): void {
  const path = stream.name
  checkName(path, 'stream', stream.name, faults)
  checkTopic(`${path}.topic`, stream.topic, faults)
  if (stream.topic === deadLetterTopic || stream.topic === lateTopic) {
    faults.add(
      `${path}.topic`,
      `"${stream.topic}" is where rejected events go`,
      'another topic: a stream must not feed itself',
    )
  }
  if (ownTopics.includes(stream.topic)) {
    faults.add(`${path}.topic`, `"${stream.topic}" is a topic of the engine's own`, 'another topic')
  }
  if (stream.topic.startsWith(featureEventsPrefix)) {
    const fault = `"${stream.topic}" is where finished values of a view go`
    faults.add(`${path}.topic`, fault, 'another topic: a stream must not feed itself')
  }
  checkFields(`${path}.fields`, stream.fields, faults)
  checkColumn(stream, { part: 'time', name: stream.time, kinds: ['timestamp'], required: true }, faults)
  if (stream.id !== null) {
    checkColumn(stream, { part: 'id', name: stream.id, kinds: ['string', 'int'], required: true }, faults)
  }
  for (const name of stream.key) checkColumn(stream, { part: 'key', name, kinds: null, required: false }, faults)
  const latenessMs = checkDuration(`${path}.lateness`, stream.lateness, faults)
  const dedupeMs = checkDuration(`${path}.dedupe`, stream.dedupe, faults)
  checkDuration(`${path}.future`, stream.future, faults)
  compileHistory(stream, faults)
  checkFormat(stream, faults)
  if (stream.id !== null && dedupeMs < latenessMs) {
    faults.add(
      `${path}.dedupe`,
      `ids are remembered for ${stream.dedupe}, less than the lateness ${stream.lateness}`,
      'remember them at least as long, or a resent event would count twice',
    )
  }
}

/** Two names for one reading would give every event two verdicts of the same kind, and every dead letter twice. */
function checkAlike(streams: readonly Pick<StreamPlan, 'name' | 'fingerprint'>[], faults: FaultList): void {
  const names = new Map<string, string>()
  for (const { name, fingerprint } of streams) {
    const other = names.get(fingerprint)
    if (other !== undefined) {
      faults.add(name, `it reads what stream "${other}" reads, in the same way`, `use "${other}" in its place`)
    }
    names.set(fingerprint, name)
  }
  faults.throwIfAny()
}

type Column = { part: string; name: string; kinds: readonly string[] | null; required: boolean }

function checkColumn(
  { name: stream, fields }: Stream,
  { part, name, kinds, required }: Column,
  faults: FaultList,
): void {
  const path = `${stream}.${part}`
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (field === undefined) {
    faults.unknown(path, `field of stream "${stream}"`, { name, declared: Object.keys(fields) })
    return
  }
  if (kinds !== null && !kinds.includes(field.kind)) {
    faults.add(path, `field "${name}" is ${field.kind}`, `${part} is ${kinds.join(' or ')}`)
  }
  if (required && field.presence !== 'required') {
    faults.add(path, `field "${name}" may be null`, `${part} is in every event: no optional() or nullable()`)
  }
}

function checkEntity(entity: Entity, faults: FaultList): void {
  checkName(entity.name, 'entity', entity.name, faults)
  checkFields(`${entity.name}.keys`, entity.keys, faults)
  for (const [name, field] of Object.entries(entity.keys)) {
    if (field.presence !== 'required') faults.add(`${entity.name}.keys.${name}`, 'a join key may be null', 'never null')
  }
}

function checkFields(path: string, fields: Fields, faults: FaultList): void {
  const names = Object.keys(fields)
  if (names.length === 0 || names.length > fieldCountMax) {
    faults.add(path, `there are ${names.length} fields`, `1 to ${fieldCountMax}`)
  }
  for (const name of names) {
    checkName(`${path}.${name}`, 'field', name, faults)
    const field = fields[name]!
    const { scale } = field
    if (field.kind === 'decimal' && !(Number.isInteger(scale) && scale !== null && scale >= 0 && scale <= 9)) {
      faults.add(`${path}.${name}`, `a decimal has scale ${scale}`, 'a whole number from 0 to 9')
    }
    if (
      !pathOf(name, field)
        .split('.')
        .every((step) => step.length > 0)
    ) {
      faults.add(`${path}.${name}`, `the path "${pathOf(name, field)}" has an empty step`, 'names joined by dots')
    }
  }
}

/** A service is one vector: a name stands for one feature, a join key for one type. */
function checkService(service: FeatureService, faults: FaultList): void {
  checkName(service.name, 'feature service', service.name, faults)
  if (service.views.length === 0) faults.add(`${service.name}.views`, 'the service has no view', 'at least one')
  const features = new Map<string, string>()
  const keys = new Map<string, { type: string; view: string }>()
  for (const view of service.views) {
    for (const name of Object.keys(view.features)) {
      const other = features.get(name)
      if (other !== undefined) {
        const fault = `feature "${name}" is in both "${other}" and "${view.name}"`
        faults.add(`${service.name}.views`, fault, 'rename one of them: a vector has one value per name')
      }
      features.set(name, view.name)
    }
    for (const [name, field] of Object.entries(view.entity.keys)) {
      // With scale and unit: a column of join keys is read once for all views of the service.
      const type = `${nameOfType(typeOfField(field))}${field.unit === null ? '' : ` in ${field.unit}`}`
      const other = keys.get(name)
      if (other !== undefined && other.type !== type) {
        const fault = `join key "${name}" is ${other.type} in "${other.view}" and ${type} in "${view.name}"`
        faults.add(`${service.name}.views`, fault, 'one type per join key')
      }
      keys.set(name, { type, view: view.name })
    }
  }
}

type OwnView = Pick<ViewPlan, 'keys'>

/** @param own the views of the stream. */
function compileStream(stream: Stream, own: readonly OwnView[]): Omit<StreamPlan, 'fingerprint' | 'views'> {
  const names = Object.keys(stream.fields)
  const id = stream.id === null ? null : names.indexOf(stream.id)
  const key = stream.key.map((name) => names.indexOf(name))
  const none = new FaultList()
  const keyColumns = own.flatMap((view) => view.keys.map(({ column }) => names.indexOf(column)))
  return {
    name: stream.name,
    topic: stream.topic,
    fields: stream.fields,
    format: compileFormat(stream),
    time: names.indexOf(stream.time),
    id,
    // Where every key may be null the id places the event: a resend in other words still finds its first.
    placement:
      id !== null && stream.key.every((name) => stream.fields[name]?.presence !== 'required') ? [...key, id] : key,
    keyColumns: [...new Set([...(id === null ? [] : [id]), ...key, ...keyColumns])],
    rules: rulesOf(stream),
    history: compileHistory(stream, none),
    retention: compileRetention(stream, none),
  }
}

function rulesOf(stream: Stream): StreamPlan['rules'] {
  const none = new FaultList()
  return {
    latenessMs: checkDuration('', stream.lateness, none),
    dedupeMs: checkDuration('', stream.dedupe, none),
    futureMs: checkDuration('', stream.future, none),
  }
}

/** What the verdicts of a stream depend on. Of the columns with bounded text only those that can be too long. */
function streamContent(
  stream: Stream,
  plan: Pick<StreamPlan, 'topic' | 'rules' | 'keyColumns' | 'history'>,
): Readonly<Record<string, unknown>> {
  const names = Object.keys(stream.fields)
  return {
    topic: plan.topic,
    // In order: it is that of a row's columns, which every view of the stream reads by number.
    fields: Object.entries(stream.fields),
    time: stream.time,
    id: stream.id,
    rules: plan.rules,
    ...formatContent(stream.format),
    ...(plan.history === null ? {} : { history: plan.history }),
    bounded: plan.keyColumns
      .map((column) => names[column]!)
      .filter((name) => stream.fields[name]!.kind === 'string')
      .sort(),
  }
}
