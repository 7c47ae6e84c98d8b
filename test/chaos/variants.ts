import { featureView } from '../../src/definition/feature-view.ts'
import { payments, views } from '../integration/kill-stream.ts'

const [spending, risk] = views

/** Another state under an old name. */
const makeRisk = (over: '9m' | '10m') =>
  featureView('terminal_risk', {
    from: payments,
    by: risk.entity,
    horizon: '5m',
    features: (on) => ({
      fraud_rate: on.mean('fraud', { over }),
      count_life: on.count({ over: 'lifetime' }),
    }),
  })

/** The state of a view that was there before, under a new name. */
const renamedRisk = { ...risk, name: 'terminal_risk_before' }

/** Three, since the views of the version before are kept for a rollback: what is older than that is swept away. */
export const variants = {
  a: [spending, risk],
  b: [spending, makeRisk('10m'), renamedRisk],
  c: [spending, makeRisk('9m')],
} as const

export type Variant = keyof typeof variants
