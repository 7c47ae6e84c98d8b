// Goal: definitions come back from data as they were; nothing else is ever made of data, whoever wrote it.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { MillraceError } from '../../src/base/faults.ts'
import { canonicalJson } from '../../src/base/hash.ts'
import { type Definition, isDefinition } from '../../src/definition/definition.ts'
import {
  entity,
  envelope,
  explainPlan,
  featureService,
  featureView,
  float,
  int,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { compile } from '../../src/plan/compile.ts'
import { planSummary } from '../../src/plan/explain.ts'
import {
  definitionsBytesMax,
  definitionsFromJson,
  type DefinitionsJson,
  definitionsToJson,
  parseDefinitions,
} from '../../src/registry/definitions-json.ts'
import { expressionDepthMax } from '../../src/registry/expression-json.ts'
import { scenario } from '../oracle/arbitraries.ts'
import { hostile } from './hostile.ts'

const golden = new URL('../golden/', import.meta.url)
const examples = new URL('../../examples/', import.meta.url)
const modules = [
  ...readdirSync(golden, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => new URL(`${name}/definition.ts`, golden)),
  new URL('quickstart/definitions.ts', examples),
  new URL('card-fraud/features.ts', examples),
  new URL('../cli/definitions.ts', import.meta.url),
]

async function definitionsOf(module: URL): Promise<readonly Definition[]> {
  const exported = Object.values((await import(module.href)) as Record<string, unknown>).flat()
  return exported.filter(isDefinition)
}

function checkRoundTrip(definitions: readonly Definition[]): void {
  const data = definitionsToJson(definitions)
  const text = JSON.stringify(data)
  const back = parseDefinitions(text)
  assert.equal(compile(back).hash, compile(definitions).hash)
  assert.equal(canonicalJson(definitionsToJson(back)), canonicalJson(data))
  const byName = (plan: ReturnType<typeof compile>): unknown =>
    Object.entries(planSummary(plan) as Record<string, { name: string }[]>).map(([part, list]) =>
      Array.isArray(list) ? [part, list.toSorted((a, b) => (a.name < b.name ? -1 : 1))] : [part, list],
    )
  assert.deepEqual(byName(compile(back)), byName(compile(definitions)))
  const fingerprints = (all: readonly Definition[]): string[] =>
    [...compile(all).streams, ...compile(all).views].map(({ name, fingerprint }) => `${name} ${fingerprint}`).sort()
  assert.deepEqual(fingerprints(back), fingerprints(definitions))
}

for (const module of modules) {
  test(`${module.pathname.split('/').slice(-3).join('/')} comes back from data as it was`, async () => {
    const definitions = await definitionsOf(module)
    assert.ok(definitions.length > 0)
    checkRoundTrip(definitions)
  })
}

test('random definitions come back from data as they were', () => {
  fc.assert(
    fc.property(scenario(), ({ views }) => {
      checkRoundTrip([...views, ...(views.length === 1 ? [featureService('service', views)] : [])])
    }),
    {
      numRuns: Number(process.env['RUNS'] ?? 300),
      ...(process.env['SEED'] ? { seed: Number(process.env['SEED']) } : {}),
    },
  )
})

const card = entity('card', { id: int() })
const payments = stream('payments', {
  fields: { id: int(), amount: float(), city: string().optional(), at: timestamp('ms') },
  time: 'at',
  lateness: '1m',
})
const spending = featureView('spending', {
  from: payments,
  by: card,
  where: (e) => e.amount.gt(0),
  features: (on) => ({
    n: on.count({ over: '1d' }),
    paris: on.where((e) => e.city.in(['Paris', 'Lyon'])).sum('amount', { over: '1d', offset: '2d' }),
    size: on.row((e) => e.amount.bucketize([1, 10])),
  }),
})
const service = featureService('scoring', [spending])

test('the order in which definitions are given is no part of the data; what they refer to comes along', () => {
  const data = definitionsToJson([service])
  assert.deepEqual(definitionsToJson([payments, spending, service, card]), data)
  assert.deepEqual(definitionsToJson([card, service]), data)
  assert.deepEqual(
    [data.entities, data.streams, data.views, data.services].map((list) => list.map(({ name }) => name)),
    [['card'], ['payments'], ['spending'], ['scoring']],
  )
})

test('what is declared and used by nothing is data as well', () => {
  const alone = stream('alone', { ...envelope({}), lateness: '1m' })
  checkRoundTrip([service, alone, entity('nobody', { x: string() })])
  assert.equal(definitionsToJson([service, alone]).streams.length, 2)
})

test('names of the language are names like any other', () => {
  const odd = entity('constructor', { __proto__: int(), toString: string() } as never)
  const made = Object.fromEntries([
    ['__proto__', int()],
    ['at', timestamp()],
  ])
  const source = stream('hasOwnProperty', { fields: made, time: 'at' as never, lateness: '1m' })
  const keyed = entity('valueOf', Object.fromEntries([['__proto__', int()]]) as never)
  const view = featureView('__proto__', {
    from: source,
    by: keyed,
    features: (on) => Object.fromEntries([['__proto__', on.count({ over: '1d' })]]),
  })
  checkRoundTrip([view, featureService('__proto__', [view])])
  assert.deepEqual(Object.keys(odd.keys), ['toString'])
})

test('a plan made from data explains itself in the same words', () => {
  assert.equal(explainPlan(compile(definitionsFromJson(definitionsToJson([service])))), explainPlan(compile([service])))
})

for (const { title, change, path } of hostile) {
  test(`refused at ${path}: ${title}`, () => {
    // JSON.parse, so that `__proto__` is an own member as it would be when it came from outside.
    const data = JSON.parse(JSON.stringify(definitionsToJson([service]))) as DefinitionsJson
    const changed = change(data as never)
    const text = typeof changed === 'string' ? changed : JSON.stringify(changed)
    assert.throws(
      () => parseDefinitions(text),
      (error) => {
        assert.ok(error instanceof MillraceError, String(error))
        assert.equal(error.code, 'DEFINITIONS_MALFORMED', error.message)
        assert.equal(error.details['path'], path)
        assert.ok(error.message.length + error.hint.length < 1_500, 'a fault does not repeat what came')
        return true
      },
    )
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })
}

test('data that would be well formed but means nothing is refused by the plan', () => {
  const data = JSON.parse(JSON.stringify(definitionsToJson([service]))) as { streams: { lateness: string }[] }
  data.streams[0]!.lateness = 'soon'
  assert.throws(() => compile(definitionsFromJson(data)), { code: 'DEFINITION' })
})

test('too many bytes are refused before they are parsed', () => {
  assert.throws(() => parseDefinitions(' '.repeat(definitionsBytesMax + 1)), { code: 'REQUEST_TOO_LARGE' })
})

test('definitions that are too large or too deep for data are refused when they become data', () => {
  const many = Array.from({ length: 400 }, (_, index) => `${'x'.repeat(3_000)}${index}`)
  const wide = featureView('wide', {
    from: payments,
    by: card,
    features: (on) => ({ n: on.where((e) => e.city.in(many)).count({ over: '1d' }) }),
  })
  assert.throws(() => definitionsToJson([wide]), { code: 'REQUEST_TOO_LARGE' })
  const deep = featureView('deep', {
    from: payments,
    by: card,
    features: (on) => {
      let tree = on.count({ over: '1d' }).plus(1)
      for (let level = 0; level < expressionDepthMax; level++) tree = tree.plus(1)
      return { n: tree }
    },
  })
  assert.throws(() => definitionsToJson([deep]), { code: 'DEFINITIONS_MALFORMED' })
})

test('a number that JSON cannot carry is refused when it becomes data', () => {
  const view = featureView('odd', {
    from: payments,
    by: card,
    features: (on) => ({ n: on.where((e) => e.amount.in([Number.NaN])).count({ over: '1d' }) }),
  })
  assert.throws(() => definitionsToJson([view]), { code: 'DEFINITIONS_MALFORMED' })
})
