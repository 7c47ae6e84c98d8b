import { assert } from '../base/assert.ts'
import { MillraceError, messageOf } from '../base/faults.ts'
import { canonicalJson } from '../base/hash.ts'
import type { Definition } from '../definition/definition.ts'
import { type Entity, entity } from '../definition/entity.ts'
import { expressionOf } from '../definition/expressions.ts'
import { type FeatureService, featureService } from '../definition/feature-service.ts'
import type { FeatureMap, FeatureView } from '../definition/feature-view.ts'
import type { AvroFormat, Format } from '../definition/format.ts'
import { gather } from '../definition/gather.ts'
import type { Stream } from '../definition/stream.ts'
import type { Expression } from '../schema/expression.ts'
import { type ActionJson, readAction, writeAction } from './action-json.ts'
import { readExpression } from './expression-json.ts'
import { type FieldJson, readFields, writeFields } from './field-json.ts'
import {
  orNull,
  type Place,
  readList,
  readName,
  readNumber,
  readObject,
  readOneOf,
  readText,
  refuse,
  refuseTwice,
  refuseValue,
} from './json-reader.ts'

/**
 * Definitions as data: how they lie in the registry and travel by HTTP. Of each kind in order of names, and streams,
 * entities and views referred to by name, so that one set of definitions is one text. What has an order keeps it:
 * fields, join keys, features, the views of a service.
 */
export type DefinitionsJson = {
  readonly version: 1
  readonly entities: readonly { readonly name: string; readonly keys: readonly FieldJson[] }[]
  readonly streams: readonly (Omit<Stream, 'type' | 'fields'> & { readonly fields: readonly FieldJson[] })[]
  readonly views: readonly ViewJson[]
  readonly services: readonly { readonly name: string; readonly views: readonly string[] }[]
  /** Left out where there are none. */
  readonly actions?: readonly ActionJson[]
}

export type ViewJson = Pick<FeatureView, 'name' | 'where' | 'ttl' | 'horizon'> & {
  readonly from: string
  readonly entity: string
  /** Join key and the stream's field that holds it. */
  readonly keys: readonly { readonly name: string; readonly field: string }[]
  readonly features: readonly { readonly name: string; readonly tree: Expression }[]
}

/** One record of the log holds them. */
export const definitionsBytesMax = 1_000_000
/** Of entities, streams, views and services each; of the fields, keys, features or views of one of them. */
export const definitionsCountMax = 1_000

/**
 * Throws `DEFINITIONS_MALFORMED` where data would not bring the same back, and `REQUEST_TOO_LARGE`. The definitions
 * must have been compiled: that two of a kind never share a name is checked there.
 */
export function definitionsToJson(definitions: readonly Definition[]): DefinitionsJson {
  const data = write(definitions)
  const text = canonicalJson(data)
  const size = Buffer.byteLength(text)
  if (size > definitionsBytesMax) throw tooLarge(size)
  // What cannot be read back must not be written: a mistake shows here, and not when the next process starts. This also
  // fails for a member that definitions got and this file was not told of.
  const back = canonicalJson(write(definitionsFromJson(data)))
  assert(back === text, 'definitions come back from data as they were')
  return JSON.parse(text) as DefinitionsJson
}

function write(definitions: readonly Definition[]): DefinitionsJson {
  const found = gather(definitions)
  return {
    version: 1,
    entities: byName(found.entities).map(({ name, keys }) => ({ name, keys: writeFields(keys) })),
    streams: byName(found.streams).map((stream) => ({ ...membersOf(stream), fields: writeFields(stream.fields) })),
    views: byName(found.views).map((view) => ({
      ...membersOf(view),
      from: view.from.name,
      entity: view.entity.name,
      keys: Object.entries(view.keys).map(([key, field]) => ({ name: key, field })),
      features: Object.entries(view.features).map(([name, { tree }]) => ({ name, tree })),
    })),
    services: byName(found.services).map(({ name, views }) => ({ name, views: views.map((view) => view.name) })),
    ...(found.actions.length === 0 ? {} : { actions: byName(found.actions).map(writeAction) }),
  }
}

/** All of them, whatever they are: one that this file does not know is refused when it is read back. */
function membersOf<T extends { readonly type: string }>(definition: T): Omit<T, 'type'> {
  const members: Record<string, unknown> = { ...definition }
  delete members['type']
  return members as Omit<T, 'type'>
}

function byName<T extends { readonly name: string }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

/**
 * Definitions from data, whoever wrote it: every member is checked in shape and size, nothing is evaluated, and what is
 * not known is refused. Throws `DEFINITIONS_MALFORMED` with the path of the first fault. What the definitions mean is
 * checked by `compile`.
 */
export function definitionsFromJson(data: unknown): readonly Definition[] {
  const top = readObject({ value: data, path: '' }, ['version', 'entities', 'streams', 'views', 'services', 'actions?'])
  if (readNumber(top.version) !== 1) return refuseValue(top.version, '1, the only version that this release reads')
  const entities = readNamed(top.entities, readEntity)
  const streams = readNamed(top.streams, readStream)
  const views = readNamed(top.views, (place) => readView(place, { entities, streams }))
  const services = readNamed(top.services, (place) => readService(place, views))
  const actions = top.actions.value === undefined ? [] : readNamed(top.actions, readAction).values()
  return [...entities.values(), ...streams.values(), ...views.values(), ...services.values(), ...actions]
}

/** As `definitionsFromJson`, from text that came from outside. */
export function parseDefinitions(text: string): readonly Definition[] {
  const size = Buffer.byteLength(text)
  if (size > definitionsBytesMax) throw tooLarge(size)
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (error) {
    return refuse(
      { path: '' },
      `text that is not JSON (${messageOf(error)})`,
      'JSON, as `millrace plan --definitions` prints it',
    )
  }
  return definitionsFromJson(data)
}

function tooLarge(size: number): MillraceError {
  return new MillraceError('REQUEST_TOO_LARGE', { size, unit: 'bytes of definitions', limit: definitionsBytesMax })
}

type Named = { readonly name: string }

function readNamed<T extends Named>(place: Place, read: (place: Place) => T): ReadonlyMap<string, T> {
  const places = readList(place, definitionsCountMax)
  const items = places.map(read)
  const names = items.map(({ name }) => name)
  refuseTwice(places, names)
  return new Map(items.map((item) => [item.name, item]))
}

/** What a name refers to. */
function readReference<T>(place: Place, declared: ReadonlyMap<string, T>): T {
  return declared.get(readText(place)) ?? refuseValue(place, 'the name of one that is declared in the same data')
}

function readEntity(place: Place): Entity {
  const { name, keys } = readObject(place, ['name', 'keys'])
  return entity(readName(name), readFields(keys) as Entity['keys'] as never)
}

function readStream(place: Place): Stream {
  const always = ['name', 'topic', 'fields', 'time', 'id', 'key', 'lateness', 'dedupe', 'future'] as const
  const found = readObject(place, [...always, 'format?', 'history?', 'retention?'])
  return Object.freeze({
    type: 'stream',
    name: readName(found.name),
    topic: readText(found.topic),
    fields: Object.freeze(readFields(found.fields)),
    time: readText(found.time),
    id: orNull(found.id, readText),
    key: Object.freeze(readList(found.key, definitionsCountMax).map(readText)),
    lateness: readText(found.lateness),
    dedupe: readText(found.dedupe),
    future: readText(found.future),
    ...(found.format.value === undefined ? {} : { format: readFormat(found.format) }),
    ...(found.history.value === undefined ? {} : { history: Object.freeze(readHistory(found.history)) }),
    ...(found.retention.value === undefined ? {} : { retention: readRetention(found.retention) }),
  })
}

function readFormat(place: Place): Format {
  const { value } = place
  const kind = value !== null && typeof value === 'object' && 'kind' in value ? value.kind : undefined
  if (kind !== 'debezium') return readAvro(place)
  const { key, decimals, encoding } = readObject(place, ['kind', 'key', 'decimals', 'encoding'])
  return Object.freeze({
    kind,
    key: Object.freeze(readList(key, definitionsCountMax).map(readText)),
    decimals: orNull(decimals, (at) => readOneOf(at, ['text', 'base64'])),
    encoding: orNull(encoding, readAvro),
  })
}

function readAvro(place: Place): AvroFormat {
  const { kind, registry, schema } = readObject(place, ['kind', 'registry', 'schema'])
  return Object.freeze({
    kind: readOneOf(kind, ['avro']),
    registry: orNull(registry, readText),
    schema: orNull(schema, readText),
  })
}

function readHistory(place: Place): NonNullable<Stream['history']> {
  const { until, from, topic } = readObject(place, ['until', 'from', 'topic'])
  return { until: readText(until), from: orNull(from, readText), topic: orNull(topic, readText) }
}

function readRetention(place: Place): NonNullable<Stream['retention']> {
  if (typeof place.value === 'string') return place.value
  const { keep, rebuild } = readObject(place, ['keep', 'rebuild'])
  return Object.freeze({ keep: readText(keep), rebuild: readOneOf(rebuild, ['warming']) })
}

type Declared = {
  readonly entities: ReadonlyMap<string, Entity>
  readonly streams: ReadonlyMap<string, Stream>
}

function readView(place: Place, { entities, streams }: Declared): FeatureView {
  const always = ['name', 'from', 'entity', 'keys', 'where', 'ttl', 'horizon', 'features'] as const
  const found = readObject(place, [...always, 'emit?'])
  const by = readReference(found.entity, entities)
  return Object.freeze({
    type: 'featureView',
    name: readName(found.name),
    from: readReference(found.from, streams),
    entity: by,
    keys: Object.freeze(readKeys(found.keys, by)),
    where: orNull(found.where, readExpression),
    ttl: orNull(found.ttl, readText),
    horizon: readText(found.horizon),
    ...(found.emit.value === undefined ? {} : { emit: readEmit(found.emit) }),
    features: Object.freeze(readFeatures(found.features)),
  })
}

function readEmit(place: Place): NonNullable<FeatureView['emit']> {
  if (place.value === 'event') return 'event'
  const { every, idle } = readObject(place, ['every', 'idle'])
  return Object.freeze({ every: readText(every), idle: readText(idle) })
}

function readKeys(place: Place, { name: by, keys }: Entity): FeatureView['keys'] {
  const places = readList(place, definitionsCountMax)
  const pairs = places.map((at): [string, string] => {
    const { name, field } = readObject(at, ['name', 'field'])
    return [readName(name), readText(field)]
  })
  const names = pairs.map(([name]) => name)
  refuseTwice(places, names)
  const wanted = Object.keys(keys)
  if (names.length !== wanted.length || !names.every((name) => wanted.includes(name))) {
    refuse(place, `the join keys ${names.join(', ')}`, `those of entity "${by}": ${wanted.join(', ')}`)
  }
  return Object.fromEntries(pairs)
}

function readFeatures(place: Place): FeatureMap {
  const places = readList(place, definitionsCountMax)
  const features = places.map((at): [string, FeatureMap[string]] => {
    const { name, tree } = readObject(at, ['name', 'tree'])
    return [readName(name), expressionOf(readExpression(tree))]
  })
  refuseTwice(
    places,
    features.map(([name]) => name),
  )
  return Object.fromEntries(features)
}

function readService(place: Place, views: ReadonlyMap<string, FeatureView>): FeatureService {
  const found = readObject(place, ['name', 'views'])
  const places = readList(found.views, definitionsCountMax)
  const parts = places.map((at) => readReference(at, views))
  return featureService(readName(found.name), parts)
}
