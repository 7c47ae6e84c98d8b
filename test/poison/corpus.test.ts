import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compile } from '../../src/plan/compile.ts'
import { inspect } from '../../src/plan/intake.ts'
import { refusalCodes } from '../../src/schema/decode.ts'
import { entrances, type Poison, poison } from './corpus.ts'
import { spending } from './definitions.ts'

const stream = compile([spending]).streams[0]!

function isJudgedAsExpected({ body, expected, values }: Poison): void {
  const inspected = inspect(stream, { value: body, timestampMs: Date.UTC(2026, 0, 1) })
  if (expected !== 'accepted') {
    assert.ok('refusals' in inspected, 'accepted')
    assert.deepEqual(
      inspected.refusals.map(({ code, path }) => ({ code, path })),
      expected,
    )
    for (const { came, allowed } of inspected.refusals) assert.ok(came.length < 300 && allowed.length > 0, came)
    return
  }
  assert.ok('row' in inspected, JSON.stringify(inspected))
  const row = Object.fromEntries(Object.keys(stream.fields).map((name, index) => [name, inspected.row[index]]))
  assert.deepEqual({ ...row, ...values }, row)
}

for (const one of poison) {
  const outcome = one.expected === 'accepted' ? 'accepted' : one.expected.map(({ code }) => code).join(', ')
  test(`${one.name}: ${outcome}`, () => isJudgedAsExpected(one))
}

test('nothing in the corpus reaches the prototype of objects', () => {
  const before = Reflect.ownKeys(Object.prototype)
  for (const { body } of poison) stream.format.decode(body)
  assert.deepEqual(Reflect.ownKeys(Object.prototype), before)
  assert.equal('polluted' in {}, false)
})

test('every file is in the manifest once, every body occurs once, and every code has a body', () => {
  const files = readdirSync(join(import.meta.dirname, 'corpus')).sort()
  assert.deepEqual(
    poison.map(({ file }) => file).filter((file) => file.endsWith('.bin')),
    files,
  )
  assert.ok(files.length >= 120, `${files.length} files`)
  assert.equal(new Set(poison.map(({ name }) => name)).size, poison.length)
  assert.equal(new Set(poison.map(({ body }) => Buffer.from(body).toString('base64'))).size, poison.length)
  const codes = poison.flatMap(({ expected }) => (expected === 'accepted' ? [] : expected.map(({ code }) => code)))
  // What follows from the record's own time is not in its bytes: entrances.test.ts. Avro has a corpus of its own.
  const all = Object.keys(refusalCodes).filter((code) => !['FUTURE', 'AVRO', 'SCHEMA'].includes(code))
  assert.deepEqual([...new Set(codes)].sort(), all.sort())
})

test('the manifest names known entrances only, and most of the corpus goes through each', () => {
  for (const { file, cannot } of poison) {
    for (const entrance of Object.keys(cannot)) assert.ok((entrances as readonly string[]).includes(entrance), file)
  }
  for (const entrance of entrances) {
    const carried = poison.filter(({ cannot }) => cannot[entrance] === undefined).length
    assert.ok(carried > 220, `${entrance} carries ${carried}`)
  }
})
