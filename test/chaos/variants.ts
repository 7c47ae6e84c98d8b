import { featureView } from '../../src/definition/feature-view.ts'
import { payments, views } from '../integration/kill-stream.ts'

const [spending, risk] = views

/** Another state under an old name. */
const changedRisk = featureView('terminal_risk', {
  from: payments,
  by: risk.entity,
  horizon: '5m',
  features: (on) => ({
    fraud_rate: on.mean('fraud', { over: '10m' }),
    count_life: on.count({ over: 'lifetime' }),
  }),
})

/** The state of a view that was there before, under a new name. */
const renamedRisk = { ...risk, name: 'terminal_risk_before' }

export type Variant = 'a' | 'b'

export const variants = { a: [spending, risk], b: [spending, changedRisk, renamedRisk] } as const
