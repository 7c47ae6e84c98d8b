import type { FeatureService } from '../definition/feature-service.ts'
import type { FeaturePlan } from '../plan/plan.ts'
import { nameOfType } from '../schema/value-type.ts'
import { type Change, changesOfKind, type Renames, type Side } from './changes.ts'
import { keyType } from './compare-sources.ts'

/**
 * What readers of a service that stays find missing or of another kind in its vector. By `view.feature` under the old
 * names: the services it concerns.
 */
export type Problems = ReadonlyMap<string, readonly string[]>

export function vectorProblems(was: Side, is: Side): Problems {
  const problems = new Map<string, string[]>()
  for (const { name, views } of was.plan.services) {
    const now = is.plan.services.find((one) => one.name === name)
    if (now === undefined) continue
    const vector = new Map(now.views.flatMap((view) => view.features.map((one) => [one.name, one])))
    for (const view of views) {
      for (const feature of view.features) {
        const other = vector.get(feature.name)
        if (other !== undefined && !breaksReaders(feature, other)) continue
        const key = `${view.name}.${feature.name}`
        problems.set(key, [...(problems.get(key) ?? []), name])
      }
    }
  }
  return problems
}

/** Another type does, and a null where there was none. Fewer nulls break nobody. */
function breaksReaders(before: FeaturePlan, after: FeaturePlan): boolean {
  return nameOfType(before.type) !== nameOfType(after.type) || (after.nullable && !before.nullable)
}

type Context = { readonly renames: Renames; readonly problems: Problems }

export function serviceChanges(was: Side, is: Side, { renames, problems }: Context): Change[] {
  return changesOfKind(was.services, is.services, {
    what: 'service',
    renames: renames.services,
    ofRemoved: () => 'clients and models that read it break',
    ofRenamed: ({ name }) => `clients and models ask for ${name}`,
    compare: (before, after) => [
      ...compareParts(before, after, { renames, problems }),
      ...compareJoinKeys(before, after, { was, is }),
    ],
  })
}

function compareParts(before: FeatureService, after: FeatureService, { renames, problems }: Context): Change[] {
  const newName = (name: string): string => renames.views.get(name) ?? name
  const [old, now] = [before.views.map(({ name }) => newName(name)), after.views.map(({ name }) => name)]
  const changes: Change[] = []
  for (const view of before.views) {
    if (now.includes(newName(view.name))) continue
    const gone = Object.keys(view.features).filter((feature) =>
      problems.get(`${view.name}.${feature}`)?.includes(before.name),
    )
    const breaks = gone.length === 0 ? null : `clients and models read ${gone.join(', ')}`
    changes.push(changed(after, `view ${view.name} removed`, breaks))
  }
  for (const name of now) if (!old.includes(name)) changes.push(changed(after, `view ${name} added`, null))
  const [kept, keptNow] = [old.filter((name) => now.includes(name)), now.filter((name) => old.includes(name))]
  if (kept.join() !== keptNow.join()) {
    changes.push(changed(after, `order of views ${kept.join(', ')} → ${keptNow.join(', ')}`, null))
  }
  return changes
}

/** Join keys that readers did not have to give before, because other views came. Those of one entity are said there. */
function compareJoinKeys(
  before: FeatureService,
  after: FeatureService,
  { was, is }: { was: Side; is: Side },
): Change[] {
  const old = joinKeys(before)
  const changes: Change[] = []
  for (const [name, { type, entity }] of joinKeys(after)) {
    const known = old.get(name)
    if (known?.type === type) continue
    // The same entity with another key: whoever compares entities has said so.
    const stays = was.entities.find((one) => one.name === entity) !== undefined && usesEntity(before, entity)
    if (stays && is.entities.some((one) => one.name === entity)) continue
    const words = known === undefined ? `join key ${name} needed, ${type}` : `join key ${name}: ${known.type} → ${type}`
    changes.push(changed(after, words, 'whoever reads it does not give that'))
  }
  return changes
}

function usesEntity({ views }: FeatureService, name: string): boolean {
  return views.some(({ entity }) => entity.name === name)
}

function joinKeys({ views }: FeatureService): Map<string, { type: string; entity: string }> {
  const all = views.flatMap(({ entity }) =>
    Object.entries(entity.keys).map(([name, field]) => [name, { type: keyType(field), entity: entity.name }] as const),
  )
  return new Map(all)
}

function changed({ name }: FeatureService, words: string, incompatible: string | null): Change {
  return { kind: 'changed', what: 'service', name, words, incompatible }
}
