import { undeclared, viewsOf } from '../plan/find.ts'
import type { Plan, ViewPlan } from '../plan/plan.ts'
import type { ValueType } from '../schema/value-type.ts'
import { type KeyEncoder, makeKeyEncoder } from './entity-key.ts'

/** What a read asks for: all of a feature service or of a view by itself, or single features, written `view:feature`. */
export type VectorTarget = { readonly service: string } | { readonly features: readonly string[] }

/** What the values of a vector are, in order. One object for all reads of a target: what is made of it can be kept by it. */
export type VectorShape = {
  /** Null when single features are asked for. */
  readonly service: string | null
  readonly names: readonly string[]
  readonly types: readonly ValueType[]
  /** Which view each comes from, numbered as they first appear: the values of a view are of one age. */
  readonly views: readonly number[]
}

/** A target with everything looked up that does not depend on the entity. */
export type PreparedVector = {
  readonly shape: VectorShape
  readonly views: readonly PreparedView[]
  /** One for all views of an entity, in the order in which they are needed. */
  readonly encoders: readonly KeyEncoder[]
  readonly streams: readonly string[]
}

export type PreparedView = {
  readonly view: ViewPlan
  /** Which of the encoders its key comes from. */
  readonly encoder: number
  /** Value `from[i]` of the view is value `to[i]` of the vector. */
  readonly from: readonly number[]
  readonly to: readonly number[]
}

type Place = { readonly view: ViewPlan; readonly index: number; readonly name: string }

/** Throws `NAME_UNDECLARED`. */
export function prepareVector(plan: Plan, target: VectorTarget): PreparedVector {
  if ('features' in target) {
    return prepare(
      null,
      target.features.map((path) => findFeature(plan, path)),
    )
  }
  const places = viewsOf(plan, target.service).flatMap((view) =>
    view.features.map(({ name }, index) => ({ view, index, name })),
  )
  return prepare(target.service, places)
}

function prepare(service: string | null, places: readonly Place[]): PreparedVector {
  const views = [...new Set(places.map(({ view }) => view))]
  const entities = [...new Set(views.map(({ entity }) => entity))]
  return {
    shape: {
      service,
      names: places.map(({ name }) => name),
      types: places.map(({ view, index }) => view.features[index]!.type),
      views: places.map(({ view }) => views.indexOf(view)),
    },
    views: views.map((view) => {
      const to = places.flatMap((place, index) => (place.view === view ? [index] : []))
      return { view, encoder: entities.indexOf(view.entity), from: to.map((index) => places[index]!.index), to }
    }),
    encoders: entities.map((entity) => makeKeyEncoder(views.find((view) => view.entity === entity)!)),
    streams: [...new Set(views.map(({ stream }) => stream))],
  }
}

function findFeature(plan: Plan, path: string): Place {
  const [viewName = '', featureName = ''] = path.split(':')
  const view = plan.views.find(({ name }) => name === viewName)
  const index = view?.features.findIndex(({ name }) => name === featureName) ?? -1
  if (view !== undefined && index >= 0) return { view, index, name: path }
  const declared = plan.views.flatMap(({ name, features }) => features.map((feature) => `${name}:${feature.name}`))
  throw undeclared('feature', path, declared)
}
