import type { Action } from './action.ts'
import type { Definition } from './definition.ts'
import type { Entity } from './entity.ts'
import type { FeatureService } from './feature-service.ts'
import type { FeatureView } from './feature-view.ts'
import type { Stream } from './stream.ts'

/** Definitions by kind, with everything that they refer to, each once, in the order in which they are met. */
export type Gathered = {
  readonly entities: readonly Entity[]
  readonly streams: readonly Stream[]
  readonly views: readonly FeatureView[]
  readonly services: readonly FeatureService[]
  readonly actions: readonly Action[]
}

export function gather(definitions: readonly Definition[]): Gathered {
  const all = new Set<Definition>()
  const visit = (definition: Definition): void => {
    if (all.has(definition)) return
    all.add(definition)
    if (definition.type === 'featureService') definition.views.forEach(visit)
    if (definition.type === 'featureView') {
      visit(definition.from)
      visit(definition.entity)
    }
  }
  definitions.forEach(visit)
  const ofType = <T extends Definition['type']>(type: T) =>
    [...all].filter((one): one is Extract<Definition, { type: T }> => one.type === type)
  return {
    entities: ofType('entity'),
    streams: ofType('stream'),
    views: ofType('featureView'),
    services: ofType('featureService'),
    actions: ofType('action'),
  }
}
