import type { FeatureView } from './feature-view.ts'

/** A named, versioned list of features that a model reads together: `featureService('fraud_v1', [spending, risk])`. */
export interface FeatureService<
  Name extends string = string,
  Views extends readonly FeatureView[] = readonly FeatureView[],
> {
  readonly type: 'featureService'
  readonly name: Name
  readonly views: Views
}

export function featureService<const Name extends string, const Views extends readonly FeatureView[]>(
  name: Name,
  views: Views,
): FeatureService<Name, Views> {
  return Object.freeze({ type: 'featureService', name, views: Object.freeze([...views]) as unknown as Views })
}
