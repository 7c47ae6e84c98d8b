import type { Entity } from '../definition/entity.ts'
import type { Stream } from '../definition/stream.ts'
import { formatContent } from '../plan/check-format.ts'
import { type Field, pathOf } from '../schema/field.ts'
import { nameOfType, typeOfField } from '../schema/value-type.ts'
import { type Change, changesOfKind, memberWords, otherMembers, type Renames, type Side } from './changes.ts'

export function entityChanges(was: Side, is: Side, renames: Renames): Change[] {
  return changesOfKind(was.entities, is.entities, {
    what: 'entity',
    renames: renames.entities,
    compare: (before, after) => {
      const isRead = was.views.some(({ entity }) => entity === before)
      return compareKeys(before, after).map(({ words, breaks }) => ({
        kind: 'changed',
        what: 'entity',
        name: after.name,
        words,
        incompatible: isRead ? breaks : null,
      }))
    },
  })
}

type Fact = { readonly words: string; readonly breaks: string | null }

function compareKeys(before: Entity, after: Entity): Fact[] {
  const facts: Fact[] = []
  const readers = 'whoever reads by this entity has to give other join keys'
  for (const [name, field] of Object.entries(before.keys)) {
    const now = Object.hasOwn(after.keys, name) ? after.keys[name] : undefined
    if (now === undefined) {
      facts.push({ words: `join key ${name} removed`, breaks: readers })
      continue
    }
    const type = memberWords(`join key ${name}:`, keyType(field), keyType(now))
    if (type !== null) facts.push({ words: type, breaks: readers })
    for (const words of otherMembers(plain(field), plain(now), ['kind', 'scale', 'unit'])) {
      facts.push({ words: `join key ${name}: ${words}`, breaks: null })
    }
  }
  for (const name of Object.keys(after.keys)) {
    if (!Object.hasOwn(before.keys, name)) facts.push({ words: `join key ${name} added`, breaks: readers })
  }
  const [order, orderNow] = [Object.keys(before.keys), Object.keys(after.keys)]
  const words = memberWords('order of join keys', order, orderNow)
  if (words !== null && order.length === orderNow.length && order.every((name) => orderNow.includes(name))) {
    facts.push({ words, breaks: null })
  }
  return facts
}

/** The type of a field with all that decides what it takes: `decimal(2)`, `timestamp in ms`. */
export function keyType(field: Field): string {
  return `${nameOfType(typeOfField(field))}${field.unit === null ? '' : ` in ${field.unit}`}`
}

/** Without the builder's methods. */
function plain({
  kind,
  scale,
  unit,
  presence,
  path,
}: Field): Pick<Field, 'kind' | 'scale' | 'unit' | 'presence' | 'path'> {
  return { kind, scale, unit, presence, path }
}

export function streamChanges(was: Side, is: Side, renames: Renames): Change[] {
  return changesOfKind(was.streams, is.streams, {
    what: 'stream',
    renames: renames.streams,
    compare: (before, after) =>
      [...compareMembers(before, after), ...compareFields(before, after)].map(({ words, breaks }) => ({
        kind: 'changed',
        what: 'stream',
        name: after.name,
        words,
        incompatible: breaks,
      })),
  })
}

function compareMembers(before: Stream, after: Stream): Fact[] {
  const fact = (words: string | null, breaks: string | null): Fact[] => (words === null ? [] : [{ words, breaks }])
  const leftBehind = `the events in topic ${before.topic} are left behind; keep them with topic: '${before.topic}'`
  const placement = (stream: Stream): readonly string[] => (stream.key.length > 0 ? stream.key : [stream.id ?? ''])
  const moved = before.id !== null && memberWords('', placement(before), placement(after)) !== null
  return [
    ...fact(memberWords('topic', before.topic, after.topic), leftBehind),
    ...fact(memberWords('time', before.time, after.time), 'every event in the log gets another time'),
    ...fact(memberWords('id', before.id, after.id), 'events in the log were told apart by the old one'),
    ...fact(
      memberWords('key', before.key, after.key),
      moved && before.id === after.id
        ? 'an event sent again may miss its first in another partition and count twice'
        : null,
    ),
    ...fact(formatWords(before, after), formatBreaks(before, after)),
    ...otherMembers(before, after, ['type', 'name', 'topic', 'time', 'id', 'key', 'fields', 'format']).map((words) => ({
      words,
      breaks: null,
    })),
  ]
}

function formatWords({ format: before }: Stream, { format: after }: Stream): string | null {
  return memberWords('format', before ?? 'JSON', after ?? 'JSON')
}

/** Where the registry is does not matter, and JSON is read beside what names its schema. */
function formatBreaks({ format: before }: Stream, { format: after }: Stream): string | null {
  const [was, is] = [formatContent(before), formatContent(after)]
  const isAdded = before === undefined && after?.kind === 'avro' && after.schema === null
  return isAdded || memberWords('', was, is) === null ? null : 'events in the log are written in the old one'
}

function compareFields(before: Stream, after: Stream): Fact[] {
  const facts: Fact[] = []
  const added = Object.entries(after.fields).filter(([name]) => !Object.hasOwn(before.fields, name))
  const renamed = new Set<string>()
  for (const [name, field] of Object.entries(before.fields)) {
    const now = Object.hasOwn(after.fields, name) ? after.fields[name] : undefined
    if (now !== undefined) {
      facts.push(...compareField(name, field, now))
      continue
    }
    const twin = added.find(([other, one]) => !renamed.has(other) && isSame(name, field, [other, one]))
    if (twin === undefined) facts.push({ words: `field ${name} removed`, breaks: null })
    else {
      renamed.add(twin[0])
      facts.push({ words: `field ${name} renamed to ${twin[0]}`, breaks: null })
    }
  }
  for (const [name, field] of added) {
    if (renamed.has(name)) continue
    const how = field.presence === 'required' ? '' : `, ${field.presence}`
    const breaks = field.presence === 'optional' ? null : 'events in the log do not have it and would be refused'
    facts.push({ words: `field ${name} added, ${keyType(field)}${how}`, breaks })
  }
  return facts
}

/** Read at the same place of the raw event, as the same type: another name for the same field. */
function isSame(name: string, field: Field, [other, now]: [string, Field]): boolean {
  return (
    keyType(field) === keyType(now) && field.presence === now.presence && pathOf(name, field) === pathOf(other, now)
  )
}

function compareField(name: string, before: Field, after: Field): Fact[] {
  const facts: Fact[] = []
  const type = memberWords(`field ${name}:`, keyType(before), keyType(after))
  if (type !== null)
    facts.push({ words: type, breaks: narrows(before, after) ? 'events in the log would be refused or misread' : null })
  const presence = memberWords(`field ${name}:`, before.presence, after.presence)
  if (presence !== null) {
    const breaks = demands(after) > demands(before) ? 'events in the log may be without it and would be refused' : null
    facts.push({ words: presence, breaks })
  }
  const path = memberWords(`field ${name}: at`, pathOf(name, before), pathOf(name, after))
  if (path !== null) facts.push({ words: path, breaks: `events in the log have it at ${pathOf(name, before)}` })
  else if (before.path !== after.path) facts.push({ words: `field ${name}: its own name as path`, breaks: null })
  return facts
}

/** Whether a value that `before` took may be refused by `after`, or read as another one. */
function narrows(before: Field, after: Field): boolean {
  if (before.kind === 'int' && after.kind === 'float') return false
  if (before.kind !== after.kind) return true
  if (before.kind === 'decimal') return (after.scale ?? 0) < (before.scale ?? 0)
  // Without a unit only text was taken, which reads the same under every unit.
  return before.unit !== null && before.unit !== after.unit
}

function demands({ presence }: Field): number {
  return ['optional', 'nullable', 'required'].indexOf(presence)
}
