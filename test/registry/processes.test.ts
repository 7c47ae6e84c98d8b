// Goal: definitions change in running processes as they do on paper: whoever applies at the same time, and whenever one
// is killed.
// KILLS=40 ROUNDS=20 for longer.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Definition } from '../../src/definition/definition.ts'
import { entity, featureService, featureView, int, stream, string, timestamp } from '../../src/index.ts'
import { definitionsToJson, type DefinitionsJson } from '../../src/registry/definitions-json.ts'
import type { RegistryState } from '../../src/serve/http-service.ts'
import { type Dev, runCli, startDev, startServer } from '../cli/run-cli.ts'

const root = join(import.meta.dirname, '../..')
const rounds = Number(process.env['ROUNDS'] ?? 3)
const kills = Number(process.env['KILLS'] ?? 4)

/** Folder with a module that says which window it has, the number in a file of its own. */
function makeFolder(t: TestContext): {
  folder: string
  module: string
  data: string
  write: (days: number | string) => void
} {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-processes-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'node_modules'))
  mkdirSync(join(folder, 'parts'))
  symlinkSync(root, join(folder, 'node_modules/millrace'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const module = join(folder, 'definitions.ts')
  writeFileSync(
    module,
    `import { entity, featureService, featureView, int, stream, string, timestamp } from 'millrace'
import { days } from './parts/days.ts'
const card = entity('card', { card: int() })
const payments = stream('payments', {
  fields: { id: string(), card: int(), at: timestamp('ms') }, time: 'at', id: 'id', lateness: '30d',
})
const spending = featureView('spending', {
  from: payments, by: card, features: (on) => ({ n: on.count({ over: \`\${days}d\` }) }),
})
export const scoring = featureService('scoring', [spending])
`,
  )
  const write = (days: number | string): void =>
    writeFileSync(join(folder, 'parts/days.ts'), `export const days = ${days}\n`)
  write(1)
  return { folder, module, data: join(folder, 'data'), write }
}

const card = entity('card', { card: int() })
const payments = stream('payments', {
  fields: { id: string(), card: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '30d',
})

/** What the module declares. */
function definitionsOf(days: number): readonly Definition[] {
  const spending = featureView('spending', {
    from: payments,
    by: card,
    features: (on) => ({ n: on.count({ over: `${days}d` }) }),
  })
  return [featureService('scoring', [spending])]
}

async function call<Body>(address: string, path: string, body?: unknown): Promise<{ status: number; body: Body }> {
  const response = await fetch(
    `${address}${path}`,
    body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
  )
  return { status: response.status, body: (await response.json()) as Body }
}

const stateOf = async (address: string): Promise<RegistryState> =>
  (await call<RegistryState>(address, '/v1/registry')).body

async function untilServed(address: string, number: number): Promise<void> {
  for (const deadline = Date.now() + 60_000; (await stateOf(address)).serving.number !== number; await sleep(20)) {
    assert.ok(Date.now() < deadline, `version ${number} is not served: ${JSON.stringify(await stateOf(address))}`)
  }
}

const dayMs = 86_400_000
const nowMs = Date.UTC(2026, 0, 20)

/** `count` payments of ten cards, evenly over the twenty days before now. */
async function send(address: string, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, index) => ({
    id: `p${index}`,
    card: index % 10,
    at: nowMs - (count - index) * ((20 * dayMs) / count),
  }))
  for (let from = 0; from < events.length; from += 5_000) {
    const { status } = await call(address, '/v1/events/payments', events.slice(from, from + 5_000))
    assert.equal(status, 202)
  }
}

async function read(address: string): Promise<readonly number[]> {
  const entities = Array.from({ length: 10 }, (_, index) => ({ card: index }))
  const body = { service: 'scoring', entities, asOf: nowMs }
  const answer = await call<{ rows: { values: number[] }[] }>(address, '/v1/features', body)
  assert.equal(answer.status, 200)
  return answer.body.rows.map(({ values }) => values[0]!)
}

/** As `send` made them. */
function expected(count: number, days: number): readonly number[] {
  const counts = Array.from({ length: 10 }, () => 0)
  for (let index = 0; index < count; index++) {
    if ((count - index) * ((20 * dayMs) / count) <= days * dayMs) counts[index % 10]! += 1
  }
  return counts
}

async function stop(server: Dev): Promise<void> {
  server.process.kill('SIGTERM')
  assert.equal((await server.finished).code, 0)
}

test('dev follows the module and what it imports, and serves on while it has faults', async (t) => {
  const { module, data, write } = makeFolder(t)
  const dev = await startDev([module, '--folder', data])
  await send(dev.address, 100)
  write(7)
  await dev.printed('changed view spending: window 7d added')
  await untilServed(dev.address, 2)
  assert.deepEqual(await read(dev.address), expected(100, 7))
  write('"soon"')
  await dev.printed('version 2 stays applied')
  write('7 +')
  await untilPrinted(dev, 'version 2 stays applied', 2)
  assert.equal((await stateOf(dev.address)).applied.number, 2)
  assert.deepEqual(await read(dev.address), expected(100, 7))
  write(3)
  await dev.printed('version 3 is served')
  assert.deepEqual(await read(dev.address), expected(100, 3))
  dev.process.kill('SIGTERM')
  const { stderr } = await dev.finished
  assert.match(stderr, /DEFINITION: .*\n.*"soond" is no duration/)
  assert.match(stderr, /DEFINITIONS_UNREADABLE/)
})

async function untilPrinted(dev: Dev, text: string, times: number): Promise<void> {
  let printed = 0
  dev.process.stdout!.on('data', (part: string) => (printed += part.split(text).length - 1))
  for (const deadline = Date.now() + 30_000; printed + 1 < times; await sleep(20))
    assert.ok(Date.now() < deadline, text)
}

test('a running process takes definitions by HTTP, goes back, and says what it was', async (t) => {
  const { module, data, write } = makeFolder(t)
  assert.equal((await runCli(['start', '--folder', data])).code, 1)
  assert.match((await runCli(['apply', module, '--folder', data, '--note', 'first'])).stdout, /version 1 is served/)
  const server = await startServer('start', [module, '--folder', data])
  const at = ['--url', server.address]
  await send(server.address, 100)
  write(7)
  const plan = await runCli(['plan', module, ...at])
  assert.match(plan.stdout, /difference to version 1\n {2}changed view spending: window 7d added/)
  assert.equal((await stateOf(server.address)).applied.number, 1, 'a plan changes nothing')
  const applied = await runCli(['apply', module, ...at, '--expected', '1'])
  assert.deepEqual([applied.code, applied.stderr], [0, ''])
  assert.match(applied.stdout, /version 2 is applied\n {2}changed view spending.*\n[^]*version 2 is served/)
  assert.deepEqual(await read(server.address), expected(100, 7))
  write(9)
  const late = await runCli(['apply', module, ...at, '--expected', '1'])
  assert.equal(late.code, 1)
  assert.match(late.stderr, /REGISTRY_CONFLICT: version 1 is not the applied one any more: version 2 was applied at/)
  assert.match(late.stderr, /count\(\) over 1d → over 7d/)
  const back = await runCli(['rollback', ...at])
  assert.match(back.stdout, /version 3 is applied[^]*nothing to do: spending\nversion 3 is served/)
  assert.deepEqual(await read(server.address), expected(100, 1))
  const { stdout } = await runCli(['versions', ...at])
  assert.match(stdout, /1 .* apply .* first\n.*2 .* apply .*\n.*3 .* rollback .* applied, served .*to version 1/)
  assert.match((await runCli(['versions', '2', '--folder', data])).stdout, /count\(\) over 7d/)
  await stop(server)
  const other = await runCli(['start', module, '--folder', data])
  assert.equal(other.code, 1)
  assert.match(other.stderr, /REGISTRY_DIFFERS[^]*count\(\) over 1d → over 9d/)
})

test('of fifty who apply at the same time one wins each round, and the others learn what was applied', async (t) => {
  const { module, data } = makeFolder(t)
  const server = await startDev([module, '--folder', data])
  await send(server.address, 200)
  const winners: DefinitionsJson[] = []
  for (let round = 0; round < rounds; round++) {
    const { applied } = await stateOf(server.address)
    const proposals = Array.from({ length: 50 }, (_, index) =>
      definitionsToJson(definitionsOf(10 + round * 50 + index)),
    )
    const answers = await Promise.all(
      proposals.map((definitions) =>
        call<{ error?: { code: string; message: string } }>(server.address, '/v1/registry', {
          definitions,
          expected: applied.number,
        }),
      ),
    )
    const won = answers.flatMap(({ status }, index) => (status === 200 ? [index] : []))
    assert.equal(won.length, 1, `round ${round}`)
    winners.push(proposals[won[0]!]!)
    for (const { status, body } of answers) {
      if (status === 200) continue
      assert.deepEqual([status, body.error?.code], [409, 'REGISTRY_CONFLICT'])
      assert.match(body.error!.message, new RegExp(`over ${10 + round * 50 + won[0]!}d`))
    }
  }
  const { versions } = await stateOf(server.address)
  assert.deepEqual(
    versions.map(({ number, previous }) => [number, previous]),
    Array.from({ length: rounds + 1 }, (_, index) => [index + 1, index]),
  )
  for (const [index, definitions] of winners.entries()) {
    const { body } = await call<{ definitions: DefinitionsJson }>(server.address, `/v1/registry/${index + 2}`)
    assert.deepEqual(body.definitions, definitions)
  }
  await untilServed(server.address, rounds + 1)
  assert.deepEqual(await read(server.address), expected(200, 30), 'of all windows that are longer than what was sent')
  await stop(server)
})

test('killed at any moment after it was applied, the next start builds on and takes over', async (t) => {
  const { module, data } = makeFolder(t)
  const count = 15_000
  let server = await startDev([module, '--folder', data])
  await send(server.address, count)
  let building = 0
  for (let kill = 0; kill < kills; kill++) {
    const number = (await stateOf(server.address)).applied.number + 1
    const days = (kill % 5) + 2
    const definitions = definitionsToJson(definitionsOf(days))
    const sent = call(server.address, '/v1/registry', { definitions, expected: number - 1 }).catch(() => null)
    // Before it is durable, between that and the takeover, or after it.
    await sleep(kill * (400 / kills))
    server.process.kill('SIGKILL')
    await server.finished
    const answer = await sent
    server = await startServer('start', ['--folder', data])
    const state = await stateOf(server.address)
    if (state.serving.number !== state.applied.number) building += 1
    if (answer?.status === 200) assert.equal(state.applied.number, number, 'what was answered is applied')
    await untilServed(server.address, state.applied.number)
    const served = state.applied.number === number ? days : null
    if (served !== null) {
      await untilFolded(server.address, count)
      assert.deepEqual(await read(server.address), expected(count, served), `kill ${kill}`)
    }
  }
  t.diagnostic(`${kills} kills, after ${building} of them the next start had something to build`)
  await stop(server)
})

async function untilFolded(address: string, count: number): Promise<void> {
  for (const deadline = Date.now() + 60_000; ; await sleep(20)) {
    const { body } = await call<{ prefix: { payments: number[] } }>(address, '/v1/features', {
      service: 'scoring',
      entities: [{ card: 0 }],
    })
    if (body.prefix.payments.reduce((sum, next) => sum + next, 0) === count) return
    assert.ok(Date.now() < deadline, 'everything is folded')
  }
}
