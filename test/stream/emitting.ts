/** Views that emit, over the stream of the kill test. */
import type { FeatureView } from '../../src/definition/feature-view.ts'
import { views } from '../integration/kill-stream.ts'

export const everyMs = 10_000

/** The same view under another name, with another way to emit. */
export function emitting(view: FeatureView, name: string, emit: NonNullable<FeatureView['emit']>): FeatureView {
  return Object.freeze({ ...view, name, emit })
}

const [spending, risk] = views
const interval = { every: '10s', idle: '1m' } as const

/** The risk is by terminal, whose events come from every partition. */
export const emittingViews = {
  spendingPerEvent: emitting(spending, 'spending_per_event', 'event'),
  spendingPerInterval: emitting(spending, 'spending_per_interval', interval),
  riskPerEvent: emitting(risk, 'risk_per_event', 'event'),
  riskPerInterval: emitting(risk, 'risk_per_interval', interval),
} as const

export const emittingList: readonly FeatureView[] = Object.values(emittingViews)
