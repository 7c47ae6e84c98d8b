import { standardPaging } from '../kernel/program.ts'
import { stateBounds } from '../kernel/state-bounds.ts'
import { tileBounds } from '../kernel/tile-bounds.ts'
import { formatDuration } from '../base/duration.ts'
import { nameOfType } from '../schema/value-type.ts'
import { pathOf } from '../schema/field.ts'
import { formatInstant } from '../schema/instant.ts'
import type { ActionPlan, EmitPlan, Plan, StreamPlan, ViewPlan } from './plan.ts'
import { featureEventsTopic } from './topics.ts'

/** The plan for people: topics, streams with their verdict rules, views with windows and bounds, services. */
export function explainPlan(plan: Plan): string {
  return [
    `plan ${plan.hash.slice(0, 12)}`,
    ...plan.streams.map(explainStream),
    ...plan.views.map(explainView),
    ...plan.services.map(
      ({ name, views }) => `\nfeature service ${name}: ${views.map((view) => view.name).join(', ')}`,
    ),
    ...plan.actions.map(explainAction),
  ].join('\n')
}

function explainAction({ name, model, text, to }: ActionPlan): string {
  return [`\naction ${name}`, `  on         predictions of ${model} where ${text}`, ...targetLines(to)].join('\n')
}

function targetLines(to: ActionPlan['to']): string[] {
  if (to.type === 'topic') return [`  to         topic ${to.topic}`]
  const { url, secretFrom, perSecond, atOnce, attempts, timeoutMs, withinMs } = to
  return [
    `  to         webhook ${url}, signed with ${secretFrom}`,
    `  sends      at most ${perSecond} a second and ${atOnce} at once, each up to ${attempts} times of ${formatDuration(timeoutMs)}, within ${formatDuration(withinMs)} of the prediction`,
  ]
}

function explainStream(stream: StreamPlan): string {
  const { name, topic, fields, time, id, placement, rules } = stream
  const names = Object.keys(fields)
  const rows = names.map((field) => {
    const { kind, scale, presence } = fields[field]!
    const at = pathOf(field, fields[field]!) === field ? '' : ` at ${pathOf(field, fields[field]!)}`
    return [field, `${kind}${scale === null ? '' : `(${scale})`}${presence === 'required' ? '' : `, ${presence}`}${at}`]
  })
  const dedupe = id === null ? 'none (no id)' : `${formatDuration(rules.dedupeMs)} by ${names[id]}`
  return [
    `\nstream ${name}`,
    `  topic      ${topic} → dead-letter-queue (refused), late-events (late)`,
    ...formatLines(stream),
    `  placed by  ${placedBy(names, placement) ?? 'the bytes of the event'}`,
    `  time       ${names[time]}, late after ${formatDuration(rules.latenessMs)}, refused ${formatDuration(rules.futureMs)} ahead`,
    `  dedupe     ${dedupe}`,
    ...pastLines(stream),
    '  fields',
    ...table(rows).map((line) => `    ${line}`),
  ].join('\n')
}

function formatLines({ format: { registry, isBare, hasTombstones } }: StreamPlan): string[] {
  const avro = isBare
    ? 'Avro of one schema'
    : registry === null
      ? null
      : `Avro and JSON, schemas from ${registry.url ?? 'SCHEMA_REGISTRY_URL'}`
  if (avro === null && !hasTombstones) return []
  return [`  format     ${hasTombstones ? `change events of a table in ${avro ?? 'JSON'}` : avro}`]
}

/** Where the past comes from, and how long it stays, where a stream says so. */
function pastLines({ history, retention }: StreamPlan): string[] {
  const lines: string[] = []
  if (history !== null) {
    const from = history.fromMs === null ? '' : `from ${formatInstant(history.fromMs)} `
    lines.push(`  history    events ${from}before ${formatInstant(history.untilMs)} from files, in ${history.topic}`)
  }
  if (retention !== null) {
    const rebuild = retention.rebuild === 'exact' ? '' : '; values of a rebuilt state may be WARMING'
    lines.push(`  kept for   ${formatDuration(retention.keepMs)}${rebuild}`)
  }
  return lines
}

/** The first of these fields that is not null; null: none is declared. */
function placedBy(names: readonly string[], placement: readonly number[]): string | null {
  return placement.length === 0 ? null : placement.map((column) => names[column]).join(', else ')
}

function explainView(view: ViewPlan): string {
  const { program } = view
  const keys = view.keys.map(
    ({ name, field, column }) => `${name} ${field.kind}${column === name ? '' : ` = ${column}`}`,
  )
  const rows = view.features.map(({ name, type, nullable, text }) => [
    name,
    `${nameOfType(type)}${nullable ? ' | null' : ''}`,
    text,
  ])
  return [
    `\nfeature view ${view.name}`,
    `  from       ${view.stream} by ${view.entity} (${keys.join(', ')})`,
    ...precisionLines(program),
    `  per key    ${keptText(program)}`,
    ...tileLines(program),
    ...boundLines(program),
    `  ttl        ${view.ttlMs === null ? 'none' : formatDuration(view.ttlMs)}`,
    ...(view.emit === null ? [] : [`  emits      ${emitText(view, view.emit)}`]),
    '  features',
    ...table(rows).map((line) => `    ${line}`),
  ].join('\n')
}

/** From when on reads are exact, and how much longer than declared a window can be. */
function precisionLines({ windows, horizonMs }: ViewPlan['program']): string[] {
  const tails = windows.flatMap(({ lengthMs, hopMs }) =>
    lengthMs === null || hopMs === undefined
      ? []
      : [`${formatDuration(lengthMs)} to ${formatDuration(hopMs)}: up to ${percent(hopMs / lengthMs)} longer`],
  )
  const but = tails.length === 0 ? '' : ' but for the tails'
  return [
    `  exact      to the millisecond${but}, for reads back to ${formatDuration(horizonMs)} before a key's newest event`,
    ...(tails.length === 0 ? [] : [`  tails      ${[...new Set(tails)].join('; ')}`]),
  ]
}

/** Two digits that count: `0.83 %`, `12 %`. */
function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`
}

function emitText({ name }: ViewPlan, emit: EmitPlan): string {
  const when = emit.per === 'event' ? 'after each event' : `at every ${formatDuration(emit.everyMs)} of event time`
  return `finished values ${when} to ${featureEventsTopic(name)}`
}

/** What is kept per key: it grows with the raw events, and with nothing else. */
function keptText({ spanMs, horizonMs, columns, windows, aggregates }: ViewPlan['program']): string {
  const lifetimes = aggregates.filter(({ window }) => windows[window]!.lengthMs === null).length
  const raw =
    spanMs === 0 ? formatDuration(horizonMs) : `${formatDuration(spanMs)} and ${formatDuration(horizonMs)} more`
  const base = lifetimes === 0 ? '' : `, ${counted(lifetimes, 'lifetime aggregate')}`
  return `the raw events of ${raw} in ${counted(columns.length, 'column')}${base}`
}

/** In place of the events before the raw ones; nothing for a view that has a window without a hop. */
function tileLines(program: ViewPlan['program']): string[] {
  const bounds = tileBounds(program)
  if (bounds === null) return []
  const hops = bounds.hops.map(({ hopMs, countMax }) => `${countMax} of ${formatDuration(hopMs)}`)
  const bytes = `${kilobytes(bounds.memoryBytes)} in memory and ${kilobytes(bounds.diskBytes)} on disk`
  return [
    `  tiles      of all older events: a key up to ${hops.join(', ')}, up to ${bytes}, however many events it has`,
  ]
}

/** Memory is bounded by the definition; what is on disk grows with the events of the windows, and with nothing else. */
function boundLines(program: ViewPlan['program']): string[] {
  const { rowsBytes, headBytes, pagesBytes, eventDiskBytes } = stateBounds(program)
  const { rowsMax } = program.paging ?? standardPaging
  const texts = program.columns.some(({ kind }) => kind === 'string') ? ', and its texts' : ''
  return [
    `  memory     a key up to ${kilobytes(rowsBytes)}; with more than ${rowsMax} raw events up to ${kilobytes(headBytes)}, and pages in ${kilobytes(pagesBytes)} for all keys`,
    `  disk       up to ${eventDiskBytes} bytes for a raw event${texts}`,
  ]
}

function kilobytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} kB` : `${Math.ceil(bytes / 1024 / 1024)} MB`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

/** The plan for machines: the same as the text, as data. */
export function planSummary(plan: Plan): unknown {
  return {
    hash: plan.hash,
    streams: plan.streams.map(({ name, topic, fields, time, id, placement, rules, history, retention }) => {
      const names = Object.keys(fields)
      return {
        name,
        topic,
        fields: names.map((field) => {
          const { kind, scale, unit, presence } = fields[field]!
          return { name: field, kind, scale, unit, presence, path: pathOf(field, fields[field]!) }
        }),
        time: names[time],
        id: id === null ? null : names[id],
        placement: placement.map((column) => names[column]),
        ...rules,
        history,
        retention,
      }
    }),
    views: plan.views.map(({ name, stream, entity, keys, program, features, ttlMs, emit }) => ({
      name,
      stream,
      entity,
      keys: keys.map((key) => ({ name: key.name, kind: key.field.kind, column: key.column })),
      keptMs: program.spanMs + program.horizonMs,
      horizonMs: program.horizonMs,
      bounds: stateBounds(program),
      tiles: tileBounds(program),
      ttlMs,
      emit: emit === null ? null : { ...emit, topic: featureEventsTopic(name) },
      windows: program.windows,
      features: features.map((feature) => ({ ...feature, type: nameOfType(feature.type) })),
    })),
    services: plan.services.map(({ name, views }) => ({ name, views: views.map((view) => view.name) })),
    ...(plan.actions.length === 0
      ? {}
      : { actions: plan.actions.map(({ name, model, text, to }) => ({ name, model, when: text, to })) }),
  }
}
