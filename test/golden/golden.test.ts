// Goal: small cases whose every value can be checked by hand, read through every path that gives values.
// Method: each folder holds `definition.ts`, `events.jsonl` (raw records, in order), `expected.jsonl` and `plan.txt`.
// A line of expected.jsonl is the verdict on a record (by index; others are accepted) or a read: its values by name
// and, where they are not simply PRESENT, the status of each feature or of all. `why` is for the reader.
// UPDATE=1 writes the plans anew; values are only ever written by hand.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { FeatureView } from '../../src/definition/feature-view.ts'
import { compile } from '../../src/plan/compile.ts'
import { explainPlan } from '../../src/plan/explain.ts'
import { engineDrivers } from './engine-drivers.ts'
import { type Driver, drivers, type GoldenRecord, keyOf, readByNames } from './drivers.ts'

type Definition = {
  readonly views: readonly FeatureView[]
  /** In how many partitions the records may be spread without changing the expectations. Default: 1 and 4. */
  readonly partitions?: readonly number[]
  /** Epoch milliseconds at which every record was produced. Default: long after every event. */
  readonly recordedAt?: number
}

type Expected = {
  readonly record?: number
  readonly verdict?: string
  readonly view?: string
  readonly keys?: Readonly<Record<string, unknown>>
  readonly asOf?: string | number
  readonly values?: Readonly<Record<string, unknown>>
  readonly status?: string | readonly string[]
  readonly age?: number
  readonly fault?: string
}

const folder = new URL('./', import.meta.url)
const cases = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
const linesOf = (name: string): string[] => readFileSync(new URL(name, folder), 'utf8').trim().split('\n')

for (const { name } of cases) {
  const definition = (await import(new URL(`${name}/definition.ts`, folder).href)) as Definition
  const { views, partitions = [1, 4], recordedAt = Date.UTC(2099, 0, 1) } = definition
  const plan = compile(views)
  const raw = linesOf(`${name}/events.jsonl`)
  const expected = linesOf(`${name}/expected.jsonl`).map((line) => JSON.parse(line) as Expected)

  test(`${name}: the plan reads as it did`, () => {
    const file = new URL(`${name}/plan.txt`, folder)
    const text = `${explainPlan(plan)}\n`
    if (process.env['UPDATE'] === '1') writeFileSync(file, text)
    assert.equal(text, readFileSync(file, 'utf8'))
  })

  for (const count of partitions) {
    for (const driver of [...drivers, ...engineDrivers]) {
      test(`${name}: ${driver.name}, ${count} partition${count === 1 ? '' : 's'}`, async () => {
        await check({ driver, records: spread(raw, { count, recordedAt }), expected, plan })
      })
    }
  }
}

/** Equal ids share a partition: here, the first number or name that an id is made of decides. */
function spread(raw: readonly string[], { count, recordedAt }: { count: number; recordedAt: number }): GoldenRecord[] {
  const offsets = Array.from({ length: count }, () => 0)
  return raw.map((text) => {
    const id = /"(?:event_)?id":"?([^",]*)/.exec(text)?.[1] ?? ''
    const partition = [...Buffer.from(id)].reduce((sum, byte) => sum + byte, 0) % count
    return { partition, offset: offsets[partition]!++, timestampMs: recordedAt, value: Buffer.from(text) }
  })
}

type Check = {
  readonly driver: Driver
  readonly records: readonly GoldenRecord[]
  readonly expected: readonly Expected[]
  readonly plan: ReturnType<typeof compile>
}

async function check({ driver, records, expected, plan }: Check): Promise<void> {
  const run = await driver.run(plan, records)
  const verdicts = records.map((_, index) => expected.find(({ record }) => record === index)?.verdict ?? 'accepted')
  assert.deepEqual(run.verdicts, verdicts)
  for (const line of expected) {
    if (line.view === undefined) continue
    const view = plan.views.find((one) => one.name === line.view)!
    const t = typeof line.asOf === 'number' ? line.asOf : Date.parse(line.asOf!)
    const what = `${line.view} ${JSON.stringify(line.keys)} as of ${line.asOf}`
    const read = run.read(view, { key: keyOf(view, line.keys!), t })
    if (line.fault !== undefined) {
      assert.ok(read === line.fault || driver.readsAnyInstant, what)
      continue
    }
    if (typeof read === 'string') assert.fail(`${what}: ${read}`)
    assert.deepEqual(readByNames(view, read), line.values, what)
    const { status = Object.values(line.values!).map((value) => (value === null ? 'NULL_VALUE' : 'PRESENT')) } = line
    assert.deepEqual(read.status, typeof status === 'string' ? read.status.map(() => status) : status, what)
    if (line.age !== undefined) assert.equal(read.ageMs, line.age, what)
  }
}
