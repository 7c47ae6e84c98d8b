import { canonicalJson } from '../base/hash.ts'
import type { Definition } from '../definition/definition.ts'
import { gather } from '../definition/gather.ts'
import type { Plan, ViewPlan } from '../plan/plan.ts'
import type { Change, Renames, Side } from './changes.ts'
import { actionChanges } from './compare-actions.ts'
import { entityChanges, streamChanges } from './compare-sources.ts'
import { serviceChanges, vectorProblems } from './compare-services.ts'
import { viewChanges } from './compare-views.ts'

/** What it takes to serve a view. */
export type ViewCost = { readonly view: string; readonly cost: 'nothing' | 'rebuild' }

export type Difference = {
  /** Empty: the two are the same. */
  readonly changes: readonly Change[]
  readonly views: readonly ViewCost[]
}

/** Definitions and the plan they compile to. */
export type Compiled = { readonly definitions: readonly Definition[]; readonly plan: Plan }

/**
 * Compares definitions with those that they replace, in words.
 *
 * @param before null when there are none.
 * @param keeps whether the states of a view are there although `before` does not have it.
 */
export function differenceBetween(
  before: Compiled | null,
  after: Compiled,
  keeps: (view: ViewPlan) => boolean = () => false,
): Difference {
  const was = sideOf(
    before ?? {
      definitions: [],
      plan: { hash: '', definitions: [], streams: [], views: [], services: [], actions: [] },
    },
  )
  const is = sideOf(after)
  const renames = findRenames(was, is)
  const problems = vectorProblems(was, is)
  return {
    changes: [
      ...entityChanges(was, is, renames),
      ...streamChanges(was, is, renames),
      ...viewChanges(was, is, { renames, problems }),
      ...serviceChanges(was, is, { renames, problems }),
      ...actionChanges(was, is),
    ],
    views: costs(was.plan, is.plan, keeps),
  }
}

/** A view whose fingerprint is there already keeps its states, whatever it is called. */
function costs(before: Plan, after: Plan, keeps: (view: ViewPlan) => boolean): ViewCost[] {
  const kept = new Set(before.views.map(({ fingerprint }) => fingerprint))
  return after.views.map((view) => ({
    view: view.name,
    cost: kept.has(view.fingerprint) || keeps(view) ? 'nothing' : 'rebuild',
  }))
}

export function incompatibleChanges({ changes }: Difference): readonly Change[] {
  return changes.filter(({ incompatible }) => incompatible !== null)
}

/** A line for each change, then what it costs. */
export function differenceLines({ changes, views }: Difference): string[] {
  if (changes.length === 0) return ['nothing changes']
  const named = (cost: ViewCost['cost']): string[] => views.filter((one) => one.cost === cost).map(({ view }) => view)
  const lines = changes.map(changeLine)
  const [rebuilt, kept] = [named('rebuild'), named('nothing')]
  if (rebuilt.length > 0) lines.push(`rebuilt from history: ${rebuilt.join(', ')}`)
  if (kept.length > 0) lines.push(`nothing to do: ${kept.join(', ')}`)
  return lines
}

function changeLine({ kind, what, name, words, incompatible }: Change): string {
  const subject = kind === 'renamed' ? `${kind} ${what} ${words}` : `${kind} ${what} ${name}`
  const detail = kind === 'renamed' || words === '' ? '' : `: ${words}`
  return `${subject}${detail}${incompatible === null ? '' : ` (incompatible: ${incompatible})`}`
}

function sideOf({ definitions, plan }: Compiled): Side {
  return { ...gather(definitions), plan }
}

/** Pairs of things that have no namesake on the other side and are otherwise the same. Old name → new name. */
function findRenames(was: Side, is: Side): Renames {
  const entities = pairUp(was.entities, is.entities, [(one) => canonicalJson(Object.entries(one.keys))])
  const streamFingerprint = ({ name }: { name: string }, plan: Plan): string =>
    plan.streams.find((one) => one.name === name)!.fingerprint
  const viewFingerprint = ({ name }: { name: string }, plan: Plan): string =>
    plan.views.find((one) => one.name === name)!.fingerprint
  const streams = pairUp(was.streams, is.streams, [
    (stream, side) => streamFingerprint(stream, side === 'was' ? was.plan : is.plan),
    // By default the topic is named for the stream, so that a new name leaves the events behind.
    (stream) => canonicalJson({ ...stream, name: '', topic: '' }),
  ])
  const views = pairUp(was.views, is.views, [
    (view, side) => `${viewFingerprint(view, side === 'was' ? was.plan : is.plan)}${canonicalJson(view.features)}`,
    (view, side) => viewFingerprint(view, side === 'was' ? was.plan : is.plan),
  ])
  const services = pairUp(was.services, is.services, [
    (service, side) =>
      canonicalJson(service.views.map(({ name }) => (side === 'was' ? (views.get(name) ?? name) : name))),
  ])
  return { entities, streams, views, services }
}

type Named = { readonly name: string }
type Likeness<T> = (one: T, side: 'was' | 'is') => string

function pairUp<T extends Named>(
  was: readonly T[],
  is: readonly T[],
  likenesses: readonly Likeness<T>[],
): Map<string, string> {
  const pairs = new Map<string, string>()
  let gone = was.filter(({ name }) => !is.some((one) => one.name === name))
  let come = is.filter(({ name }) => !was.some((one) => one.name === name))
  for (const likeness of likenesses) {
    for (const one of gone) {
      const text = likeness(one, 'was')
      const other = come.find((candidate) => likeness(candidate, 'is') === text)
      if (other === undefined) continue
      pairs.set(one.name, other.name)
      come = come.filter((candidate) => candidate !== other)
    }
    gone = gone.filter(({ name }) => !pairs.has(name))
  }
  return pairs
}
