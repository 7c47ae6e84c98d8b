import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainFromLog } from '../../src/app/inspect-folder.ts'
import { compile, entity, featureService, featureView, stream, string, timestamp } from '../../src/index.ts'
import type { Log } from '../../src/log/log.ts'

const visits = stream('visits', {
  fields: { user: string(), at: timestamp('ms') },
  time: 'at',
  lateness: '1h',
})
const user = entity('user', { user: string() })
const hourly = featureView('hourly', {
  from: visits,
  by: user,
  features: (on) => ({ visits_1h: on.count({ over: '1h' }) }),
})
const daily = featureView('daily', {
  from: visits,
  by: user,
  features: (on) => ({ visits_1d: on.count({ over: '1d' }) }),
})

test('an unknown feature of a service is answered with the features of all its views', async () => {
  const plan = compile([featureService('both', [hourly, daily])])
  // Names are looked up before anything is read.
  const log = {} as Log
  const explained = explainFromLog({ plan, log, view: 'both', feature: 'visits_2d', keys: { user: 'u' }, asOf: 1 })
  await assert.rejects(explained, {
    code: 'NAME_UNDECLARED',
    details: { kind: 'feature of both', name: 'visits_2d', declared: 'visits_1h, visits_1d', nearest: 'visits_1d' },
  })
})
