import type { Action } from './action.ts'
import type { Entity } from './entity.ts'
import type { FeatureService } from './feature-service.ts'
import type { FeatureView } from './feature-view.ts'
import type { Stream } from './stream.ts'

/** Anything an author declares. */
export type Definition = Entity | Stream | FeatureView | FeatureService | Action

/** Finds the definitions among the exports of a module. */
export function isDefinition(value: unknown): value is Definition {
  if (value === null || typeof value !== 'object' || !('type' in value) || !Object.isFrozen(value)) return false
  return ['entity', 'stream', 'featureView', 'featureService', 'action'].includes(String(value.type))
}
