import { formatDuration } from '../base/duration.ts'
import { canonicalJson } from '../base/hash.ts'
import type { FeatureView } from '../definition/feature-view.ts'
import { expressionText } from '../plan/expression-text.ts'
import type { ViewPlan } from '../plan/plan.ts'
import type { Expression } from '../schema/expression.ts'
import { nameOfType } from '../schema/value-type.ts'
import { type Change, changesOfKind, memberWords, otherMembers, treeWords, type Renames, type Side } from './changes.ts'
import type { Problems } from './compare-services.ts'

type Context = { readonly renames: Renames; readonly problems: Problems }

export function viewChanges(was: Side, is: Side, { renames, problems }: Context): Change[] {
  const planOf = (side: Side, { name }: FeatureView): ViewPlan => side.plan.views.find((one) => one.name === name)!
  return changesOfKind(was.views, is.views, {
    what: 'view',
    renames: renames.views,
    compare: (before, after) => [
      ...[...compareMembers(before, after, renames), ...compareWindows(planOf(was, before), planOf(is, after))].map(
        (words): Change => ({ kind: 'changed', what: 'view', name: after.name, words, incompatible: null }),
      ),
      ...compareFeatures(featuresOf(before, planOf(was, before)), featuresOf(after, planOf(is, after)), {
        views: [before.name, after.name],
        problems,
      }),
    ],
  })
}

function compareMembers(before: FeatureView, after: FeatureView, { streams, entities }: Renames): string[] {
  const joinKeys = Object.keys(after.keys)
    .filter((key) => Object.hasOwn(before.keys, key))
    .map((key) => memberWords(`join key ${key}: field`, before.keys[key], after.keys[key]))
  return [
    memberWords('from', streams.get(before.from.name) ?? before.from.name, after.from.name),
    memberWords('by', entities.get(before.entity.name) ?? before.entity.name, after.entity.name),
    ...joinKeys,
    filterWords(before.where, after.where),
    ...otherMembers(before, after, ['type', 'name', 'from', 'entity', 'keys', 'where', 'features']),
  ].filter((words) => words !== null)
}

function filterWords(before: Expression | null, after: Expression | null): string | null {
  if (before === null) return after === null ? null : `filter ${expressionText(after)} added`
  if (after === null) return `filter ${expressionText(before)} removed`
  const words = treeWords(before, after)
  return words === null ? null : `filter ${words}`
}

function compareWindows(before: ViewPlan, after: ViewPlan): string[] {
  const [old, now] = [windowsOf(before), windowsOf(after)]
  return [
    ...now.filter((window) => !old.includes(window)).map((window) => `window ${window} added`),
    ...old.filter((window) => !now.includes(window)).map((window) => `window ${window} removed`),
  ]
}

function windowsOf({ program }: ViewPlan): string[] {
  return program.windows.map(({ lengthMs, offsetMs, hopMs }) => {
    const length = lengthMs === null ? 'lifetime' : formatDuration(lengthMs)
    const offset = offsetMs === 0 ? '' : ` offset ${formatDuration(offsetMs)}`
    return `${length}${offset}${hopMs === undefined ? '' : `, tail to ${formatDuration(hopMs)}`}`
  })
}

type Feature = { readonly name: string; readonly tree: Expression; readonly type: string }

function featuresOf({ features }: FeatureView, plan: ViewPlan): Feature[] {
  return Object.entries(features).map(([name, { tree }]) => {
    const { type, nullable } = plan.features.find((one) => one.name === name)!
    return { name, tree, type: `${nameOfType(type)}${nullable ? ' | null' : ''}` }
  })
}

type FeatureContext = { readonly views: readonly [before: string, after: string]; readonly problems: Problems }

function compareFeatures(
  was: readonly Feature[],
  is: readonly Feature[],
  { views, problems }: FeatureContext,
): Change[] {
  const [oldView, view] = views
  const renames = renamedFeatures(was, is)
  const readers = ({ name }: Feature): string | null => {
    const services = problems.get(`${oldView}.${name}`) ?? []
    return services.length === 0 ? null : `clients and models of ${services.join(', ')} read it`
  }
  const changes = changesOfKind(was, is, {
    what: 'feature',
    renames,
    ofRemoved: readers,
    ofRenamed: readers,
    compare: (before, after) => {
      const types = before.type === after.type ? '' : `, ${before.type} → ${after.type}`
      const words = treeWords(before.tree, after.tree)
      // The type may change without the tree: that of the field which it reads did.
      if (words === null && types === '') return []
      const text = words ?? expressionText(after.tree)
      const incompatible = types === '' ? null : readers(before)
      return [{ kind: 'changed', what: 'feature', name: after.name, words: `${text}${types}`, incompatible }]
    },
  })
  const named = changes.map((change) => ({
    ...change,
    name: `${change.kind === 'removed' ? oldView : view}.${change.name}`,
    ...(change.kind === 'renamed' ? { words: `${view}.${change.words}` } : {}),
  }))
  return [...named, ...compareOrder(was, is, { renames, view })]
}

/** Same tree, other name. */
function renamedFeatures(was: readonly Feature[], is: readonly Feature[]): Map<string, string> {
  const renames = new Map<string, string>()
  const come = is.filter(({ name }) => !was.some((one) => one.name === name))
  for (const { name, tree } of was) {
    if (is.some((one) => one.name === name)) continue
    const text = canonicalJson(tree)
    const index = come.findIndex((one) => canonicalJson(one.tree) === text)
    if (index >= 0) renames.set(name, come.splice(index, 1)[0]!.name)
  }
  return renames
}

function compareOrder(
  was: readonly Feature[],
  is: readonly Feature[],
  { renames, view }: { renames: ReadonlyMap<string, string>; view: string },
): Change[] {
  const names = is.map(({ name }) => name)
  const old = was.map(({ name }) => renames.get(name) ?? name).filter((name) => names.includes(name))
  const now = names.filter((name) => old.includes(name))
  if (old.join() === now.join()) return []
  const words = `order of features ${old.join(', ')} → ${now.join(', ')}`
  return [{ kind: 'changed', what: 'view', name: view, words, incompatible: null }]
}
