import { assert } from '../base/assert.ts'
import { formatDuration, parseDuration } from '../base/duration.ts'
import { canonicalJson } from '../base/hash.ts'
import type { FeatureView } from '../definition/feature-view.ts'
import type { ColumnValue, FeatureValue } from '../kernel/aggregation.ts'
import { emptyAggregates } from '../kernel/read.ts'
import type { Evaluator } from '../schema/evaluate.ts'
import { type AggregateCall, type Expression, walk } from '../schema/expression.ts'
import { floatMagnitudeMax, type Row } from '../schema/decode.ts'
import { type FieldKind, pathOf } from '../schema/field.ts'
import { makeEvaluator, makeListEvaluator, type Slot } from '../schema/generate-expression.ts'
import { encodeKey } from '../schema/key-codec.ts'
import { nameOfType, type TypedNullable, typeOfField } from '../schema/value-type.ts'
import { typeOf } from './check-expression.ts'
import { compileCall, makeProgramBuilder, type ProgramBuilder, type ProgramColumn } from './compile-call.ts'
import { expressionText } from './expression-text.ts'
import { FaultList } from './faults.ts'
import { callKey, distinctCalls } from './fingerprint.ts'
import { checkDuration, checkName } from './check-names.ts'
import { eventSlots } from './event-slots.ts'
import type { EmitPlan, FeaturePlan, KeyColumn, Projection, ViewPlan } from './plan.ts'

/** A view but for its fingerprint, and what that is made of. */
export type CompiledView = {
  readonly plan: Omit<ViewPlan, 'fingerprint'>
  /** What its states depend on besides its stream. */
  readonly content: Readonly<Record<string, unknown>>
}

/** Checks a feature view and compiles it. Null when it has faults, all of which are reported. */
export function compileView(view: FeatureView, faults: FaultList): CompiledView | null {
  const path = view.name
  const before = faults.list.length
  checkName(path, 'feature view', view.name, faults)
  const keys = compileKeys(view, faults)
  const horizonMs = checkDuration(`${path}.horizon`, view.horizon, faults)
  const ttlMs = view.ttl === null ? null : checkDuration(`${path}.ttl`, view.ttl, faults)
  const emit = compileEmit(view, horizonMs, faults)
  const where = compileWhere(view, faults)
  const builder = makeProgramBuilder(view.from, horizonWithSkew(view, horizonMs))
  const calls = distinctCalls(Object.values(view.features).map(({ tree }) => liftLists(tree)))
  // First of all in their own order, so that the program, and with it the states, have no part in the features' order.
  for (const call of calls) compileCall(call, { builder, faults: new FaultList(), path: '' })
  const features = Object.entries(view.features).map(([name, { tree }]) =>
    compileFeature(name, tree, { builder, faults, path: `${path}.features.${name}` }),
  )
  if (features.length === 0) faults.add(`${path}.features`, 'the view has no feature', 'declare at least one')
  if (faults.list.length > before) return null

  const program = builder.build()
  const compiled = features as CompiledFeature[]
  const finish = makeFinish(compiled)
  const projection = makeProjection(view, { keys, where, columns: builder.columns() })
  const plan = {
    name: view.name,
    stream: view.from.name,
    entity: view.entity.name,
    keys,
    program,
    features: compiled.map(({ plan }) => plan),
    ttlMs,
    emit,
    empty: finish(emptyAggregates(program)),
    projection,
    project: makeProject(
      projection,
      keys.map(({ field }) => field.kind),
    ),
    finish,
  }
  const content = {
    keys: keys.map(({ column, field }) => ({ column, kind: field.kind, scale: field.scale })),
    where: view.where,
    horizonMs: program.horizonMs,
    calls: calls.map(callKey),
  }
  return { plan, content }
}

/**
 * A read at the clock's now must never be older than the horizon, even if an event is ahead of the clock: the read
 * just after such an event is one millisecond more ahead than the event.
 */
function horizonWithSkew(view: FeatureView, horizonMs: number): number {
  return Math.max(horizonMs, (parseDuration(view.from.future) ?? 0) + 1)
}

/** Emitted values are as of an instant that lies behind the newest event of a key: so far back a read must be exact. */
function compileEmit(view: FeatureView, horizonMs: number, faults: FaultList): EmitPlan | null {
  const { emit, from } = view
  if (emit === undefined) return null
  const path = `${view.name}.emit`
  const behindMs = parseDuration(from.lateness) ?? 0
  if (emit === 'event') {
    if (horizonWithSkew(view, horizonMs) < behindMs) {
      const fault = `it is ${view.horizon}, and an event may be ${from.lateness} behind the newest of its key`
      faults.add(`${view.name}.horizon`, fault, `at least ${from.lateness} for a view that emits: the lateness`)
    }
    return { per: 'event' }
  }
  if (typeof emit !== 'object' || emit === null) {
    faults.add(path, `${JSON.stringify(emit)} is no way to emit`, `'event', or { every: '1m' }`)
    return null
  }
  for (const name of Object.keys(emit)) {
    const declared = ['every', 'idle']
    if (!declared.includes(name)) faults.unknown(`${path}.${name}`, 'option', { name, declared })
  }
  const everyMs = checkDuration(`${path}.every`, emit.every, faults)
  const idleMs = checkDuration(`${path}.idle`, emit.idle, faults)
  if (parseDuration(emit.every) === 0) faults.add(`${path}.every`, 'the interval has no length', 'at least 1ms')
  if (horizonWithSkew(view, horizonMs) < behindMs + idleMs) {
    const waits = formatDuration(behindMs + idleMs)
    const fault = `it is ${view.horizon}, and an interval may wait until its key is ${waits} further`
    faults.add(`${view.name}.horizon`, fault, `at least ${waits}: the lateness and emit.idle`)
  }
  return { per: 'interval', everyMs, idleMs }
}

function compileKeys(view: FeatureView, faults: FaultList): KeyColumn[] {
  return Object.entries(view.entity.keys).map(([name, field]) => {
    const column = view.keys[name] ?? name
    const path = `${view.name}.keys.${name}`
    const found = Object.hasOwn(view.from.fields, column) ? view.from.fields[column] : undefined
    if (found === undefined) {
      faults.unknown(path, `field of stream "${view.from.name}"`, {
        name: column,
        declared: Object.keys(view.from.fields),
      })
    } else if (found.kind !== field.kind || found.scale !== field.scale) {
      faults.add(
        path,
        `field "${column}" is ${nameOfType(typeOfField(found))} in stream "${view.from.name}" and ${nameOfType(typeOfField(field))} in entity "${view.entity.name}"`,
        'a join key has one type everywhere',
      )
    }
    return { name, field, column, path: pathOf(column, found ?? field) }
  })
}

function compileWhere(view: FeatureView, faults: FaultList): Evaluator<Row> | null {
  if (view.where === null) return null
  const scope = { kind: 'event', stream: view.from.name, fields: view.from.fields } as const
  const type = typeOf(view.where, { scope, path: `${view.name}.where`, faults })
  if (type === null) return null
  if (type.type.kind !== 'boolean') {
    faults.add(`${view.name}.where`, `the filter gives ${nameOfType(type.type)}`, 'a filter is a condition')
    return null
  }
  return makeEvaluator(view.where, eventSlots(view.from.fields))
}

type CompiledFeature = {
  readonly plan: FeaturePlan
  readonly tree: Expression
  /** Where its calls have their values, by their canonical JSON. */
  readonly slots: ReadonlyMap<string, Slot>
}

type FeatureContext = { readonly builder: ProgramBuilder; readonly faults: FaultList; readonly path: string }

function compileFeature(
  name: string,
  tree: Expression,
  { builder, faults, path }: FeatureContext,
): CompiledFeature | null {
  checkName(path, 'feature', name, faults)
  const pushed = liftLists(tree)
  const slots = new Map<string, Slot>()
  const typeOfCall = (call: AggregateCall, at: string): TypedNullable | null => {
    const compiled = compileCall(call, { builder, faults, path: at })
    if (compiled === null) return null
    slots.set(canonicalJson(call), { index: compiled.slot, kind: compiled.type.type.kind, divisor: 1 })
    return compiled.type
  }
  const type = typeOf(pushed, { scope: { kind: 'feature', typeOfCall }, path, faults })
  let aggregates = 0
  walk(pushed, (node) => {
    if (node.op === 'aggregate') aggregates += 1
  })
  if (aggregates === 0 && type !== null) {
    faults.add(path, 'the feature aggregates nothing', 'use at least one of on.count, on.sum, on.mean, …')
  }
  if (type === null || aggregates === 0) return null
  const plan = {
    name,
    ...type,
    text: expressionText(tree),
    aggregates: [...new Set([...slots.values()].map(({ index }) => index))],
    slot: pushed.op === 'aggregate' ? slots.get(canonicalJson(pushed.call))!.index : null,
  }
  return { plan, tree: pushed, slots }
}

function makeFinish(features: readonly CompiledFeature[]): ViewPlan['finish'] {
  const slots = new Map(features.flatMap((feature) => [...feature.slots]))
  return makeListEvaluator(
    features.map(({ tree }) => tree),
    (leaf) => {
      assert(leaf.op === 'aggregate', 'a feature has aggregations at its leaves')
      return slots.get(canonicalJson(leaf.call))!
    },
  )
}

/**
 * `row(oneHot(x))` is `oneHot(row(x))`: the list is made when the value is read, so that what is kept per event
 * stays a plain value.
 */
function liftLists(tree: Expression): Expression {
  if (tree.op !== 'aggregate' || tree.call.name !== 'latest' || tree.call.input?.op !== 'oneHot') return tree
  const { input } = tree.call
  const [operand] = input.args
  return { ...input, args: [{ op: 'aggregate', call: { ...tree.call, input: operand! } }] }
}

type ProjectionParts = {
  readonly keys: readonly KeyColumn[]
  readonly where: Evaluator<Row> | null
  readonly columns: readonly ProgramColumn[]
}

function makeProjection(view: FeatureView, { keys, where, columns }: ProjectionParts): Projection {
  const names = Object.keys(view.from.fields)
  return {
    keys: keys.map(({ column }) => names.indexOf(column)),
    where,
    columns: columns.map(({ evaluate, computed }) =>
      computed ? (row: Row) => bounded(evaluate(row)) : (evaluate as (row: Row) => ColumnValue),
    ),
    fields: columns.map(({ field }) => field),
    reads: fieldsOf([
      ...(view.where === null ? [] : [view.where]),
      ...columns.flatMap(({ computed, tree }) => (computed ? [tree] : [])),
    ]).map((name) => names.indexOf(name)),
  }
}

function fieldsOf(trees: readonly Expression[]): string[] {
  const fields = new Set<string>()
  for (const tree of trees) {
    walk(tree, (node) => {
      if (node.op === 'field') fields.add(node.name)
    })
  }
  return [...fields]
}

function makeProject(projection: Projection, kinds: readonly FieldKind[]): ViewPlan['project'] {
  const { keys, where, columns } = projection
  return ({ row, ts, tie }) => {
    const keyValues: (string | number | boolean)[] = []
    for (const index of keys) {
      const value = row[index]!
      if (value === null) return { outcome: 'unkeyed' }
      keyValues.push(value)
    }
    if (where !== null && where(row) !== true) return { outcome: 'filtered' }
    const values: ColumnValue[] = []
    for (const column of columns) values.push(column(row))
    return { outcome: 'applied', key: encodeKey(kinds, keyValues), event: { ts, tie, values } }
  }
}

/** Exact sums hold any number of floats up to this magnitude; a derived value beyond it counts as no number. */
function bounded(value: FeatureValue): ColumnValue {
  if (typeof value === 'number' && Math.abs(value) > floatMagnitudeMax) return null
  return value as ColumnValue
}
