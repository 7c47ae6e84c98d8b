// Goal: definitions are loaded as they are on disk now, and a module that misbehaves harms nobody.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type Loading, loadInChild } from '../../src/app/load-in-child.ts'
import { loadPlan } from '../../src/app/load-plan.ts'

const root = join(import.meta.dirname, '../..')

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-load-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/millrace'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  return folder
}

const windowFile = (days: number): string => `export const window = '${days}d' as const\n`
const main = `
import { entity, featureView, int, stream, timestamp } from 'millrace'
import { window } from './parts/window.ts'
console.log('a module may print')
if (process.send !== undefined) setInterval(() => undefined, 1_000) // Left behind, but only where it is loaded apart.
export const card = entity('card', { card: int() })
export const payments = stream('payments', { fields: { card: int(), at: timestamp() }, time: 'at', lateness: '1m' })
export const spending = featureView('spending', { from: payments, by: card, features: (on) => ({ n: on.count({ over: window }) }) })
`

function textOf({ result }: Loading): string {
  return result instanceof Error ? `${result.code} ${result.message}` : result.plan.views[0]!.features[0]!.text
}

test('what a module imports is read anew each time, and named', async (t) => {
  const folder = makeFolder(t)
  const [file, part] = [join(folder, 'definitions.ts'), join(folder, 'parts/window.ts')]
  mkdirSync(join(folder, 'parts'))
  writeFileSync(file, main)
  writeFileSync(part, windowFile(1))
  const first = await loadInChild(file)
  assert.equal(textOf(first), 'count() over 1d')
  assert.deepEqual(first.files.toSorted(), [file, part].sort())
  assert.ok(!(first.result instanceof Error))
  assert.equal(first.result.plan.hash, (await loadPlan(file)).plan.hash)
  writeFileSync(part, windowFile(7))
  assert.equal(textOf(await loadInChild(file)), 'count() over 7d')
  writeFileSync(part, 'export const window = ')
  const broken = await loadInChild(file)
  assert.match(textOf(broken), /^DEFINITIONS_UNREADABLE /)
  assert.deepEqual(broken.files.toSorted(), [file, part].sort(), 'so that mending it is noticed')
  rmSync(part)
  assert.deepEqual((await loadInChild(file)).files.toSorted(), [file, part].sort(), 'so that writing it is noticed')
})

test('faults of definitions come across as they are', async () => {
  const file = join(root, 'test/cli/broken-definitions.ts')
  const { result } = await loadInChild(file)
  const here = await loadPlan(file).catch((error: unknown) => error)
  assert.ok(result instanceof Error && here instanceof Error)
  assert.deepEqual([result.code, result.message], ['DEFINITION', here.message])
})

test('a module that ends its process, or never ends, is a fault', async (t) => {
  const folder = makeFolder(t)
  const file = join(folder, 'definitions.ts')
  writeFileSync(file, 'process.exit(0)')
  assert.match(textOf(await loadInChild(file)), /^DEFINITIONS_UNREADABLE .*ended the process with 0/)
  writeFileSync(file, 'while (true);')
  const giveUp = new AbortController()
  setTimeout(() => giveUp.abort(), 2_000)
  assert.match(textOf(await loadInChild(file, giveUp.signal)), /^DEFINITIONS_UNREADABLE .*not loaded/)
})
