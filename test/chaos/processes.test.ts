// Goal: processes that share a folder, are stopped, held still or run out of disk do what the guide says.
// Method: the real `millrace dev` on real folders.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test, type TestContext } from 'node:test'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Dev, type DevOptions, launchDev, Sender, startDev } from './drain-dev.ts'
import { environmentOf, nodeArguments } from './life.ts'
import { noFaults } from './process-faults.ts'
import type { Acknowledged } from './verify.ts'
import type { WorkerOptions } from './worker.ts'

const partitions = 2

/** Processes do not outlive their test. */
function launch(context: TestContext, options: DevOptions): ReturnType<typeof launchDev> {
  const dev = launchDev(options)
  context.after(() => dev.process.kill('SIGKILL'))
  return dev
}

async function start(context: TestContext, options: DevOptions): Promise<Dev> {
  const dev = await startDev(options)
  context.after(() => dev.process.kill('SIGKILL'))
  return dev
}
const timeout = 120_000

function makeFolder(context: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'millrace-processes-'))
  context.after(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'data', 'log'), { recursive: true })
  return join(root, 'data')
}

function assertWhole(folder: string, seed: number, acknowledged: Acknowledged): void {
  const file = `${folder}.json`
  writeFileSync(file, JSON.stringify(acknowledged))
  const options = JSON.stringify({ folder, seed, partitions, acknowledged: file, changes: false })
  const args = ['--conditions=millrace-source', join(import.meta.dirname, 'verify.ts'), options]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

test('a second process on a folder gets FOLDER_IN_USE and 1; the first is not disturbed', {
  timeout,
}, async (context) => {
  const folder = makeFolder(context)
  const first = await start(context, { folder, partitions })
  const sender = new Sender(first.address, { seed: 1, from: 0 })
  assert.ok(await sender.send(20))
  const second = await launch(context, { folder, partitions }).ended
  assert.equal(second.code, 1)
  assert.match(second.stderr, /FOLDER_IN_USE/)
  assert.match(second.stderr, new RegExp(`\\b${first.process.pid}\\b`), 'it says who has it')
  assert.ok(await sender.send(20))
  first.process.kill('SIGTERM')
  assert.equal((await first.ended).code, 0)
  assertWhole(folder, 1, { events: sender.acknowledged, notes: 0, forgot: 0 })
})

test('of many that start at once one has the folder', { timeout }, async (context) => {
  const folder = makeFolder(context)
  const all = Array.from({ length: 4 }, () => launch(context, { folder, partitions }))
  const outcomes = await Promise.all(
    all.map(({ address, ended }) => Promise.race([address.then(() => 'open' as const), ended])),
  )
  assert.equal(outcomes.filter((outcome) => outcome === 'open').length, 1)
  for (const outcome of outcomes) if (outcome !== 'open') assert.match(outcome.stderr, /FOLDER_IN_USE/)
  for (const { process: child } of all) child.kill('SIGTERM')
  await Promise.all(all.map(({ ended }) => ended))
})

test('the lock of a dead process, and one whose process number is another process now, are taken over', {
  timeout,
}, async (context) => {
  const folder = makeFolder(context)
  const dead = spawn('true')
  await once(dead, 'exit')
  for (const pid of [dead.pid!, process.pid]) {
    writeFileSync(join(folder, 'log', 'lock'), JSON.stringify({ pid, startedAt: '1', nonce: 'gone' }))
    const dev = await start(context, { folder, partitions })
    const { pid: holder } = JSON.parse(readFileSync(join(folder, 'log', 'lock'), 'utf8')) as { pid: number }
    assert.equal(holder, dev.process.pid)
    dev.process.kill('SIGTERM')
    assert.equal((await dev.ended).code, 0)
  }
})

test('a process that is held still keeps its folder, and goes on', { timeout }, async (context) => {
  const folder = makeFolder(context)
  const dev = await start(context, { folder, partitions })
  const sender = new Sender(dev.address, { seed: 2, from: 0 })
  assert.ok(await sender.send(30))
  dev.process.kill('SIGSTOP')
  const asked = sender.send(5)
  const second = await launch(context, { folder, partitions }).ended
  assert.match(second.stderr, /FOLDER_IN_USE/)
  assert.equal(second.code, 1)
  await sleep(500)
  dev.process.kill('SIGCONT')
  assert.ok(await asked, 'the request that waited is answered')
  assert.ok(await sender.send(5))
  dev.process.kill('SIGTERM')
  assert.equal((await dev.ended).code, 0)
  assertWhole(folder, 2, { events: sender.acknowledged, notes: 0, forgot: 0 })
})

test('a second SIGTERM does not wait for a disk that hangs', { timeout }, async (context) => {
  const folder = makeFolder(context)
  const first = await start(context, { folder, partitions })
  const sender = new Sender(first.address, { seed: 3, from: 0 })
  assert.ok(await sender.send(30))
  first.process.kill('SIGTERM')
  await first.ended
  // Opening syncs as well: only from the first request on it hangs for longer than the test.
  const slow = await start(context, { folder, partitions, faults: { ...noFaults, syncMs: 400 } })
  const slowSender = new Sender(slow.address, { seed: 3, from: 30 })
  const answers = Promise.all(Array.from({ length: 60 }, () => slowSender.send(1)))
  await sleep(100)
  slow.process.kill('SIGTERM')
  await sleep(100)
  const askedAt = performance.now()
  slow.process.kill('SIGTERM')
  const { code, signal } = await slow.ended
  assert.deepEqual({ code, signal }, { code: null, signal: 'SIGTERM' })
  assert.ok(performance.now() - askedAt < 300, 'at once')
  await answers
  const events = [...sender.acknowledged, ...slowSender.acknowledged]
  assertWhole(folder, 3, { events, notes: 0, forgot: 0 })
})

const unshare = spawnSync('unshare', ['--mount', 'true']).status === 0 ? false : 'no right to mount a small disk here'

test('a disk that fills up stops it with a fault; nothing acknowledged is lost', {
  timeout,
  skip: unshare,
}, async (context) => {
  for (const mebibytes of [1, 2]) {
    const folder = makeFolder(context)
    const outside = `${folder}-outside`
    const worker: WorkerOptions = {
      folder,
      seed: 4,
      run: mebibytes,
      from: 0,
      to: 1_000_000,
      checkpointMs: 10,
      keysMax: 8,
      partitions,
      variant: 'a',
      changes: false,
      closeAfterMs: null,
    }
    const node = [process.execPath, ...nodeArguments, join(import.meta.dirname, 'worker.ts'), JSON.stringify(worker)]
    // The disk is there for this process only, and is gone with it: what is on it is copied first.
    const script = `mount -t tmpfs -o size=${mebibytes}m tmpfs "$0" && mkdir "$0/log" && "$@"; code=$?; cp -a "$0" "${outside}"; exit $code`
    const command = ['--mount', 'sh', '-c', script, folder, ...node]
    const child = spawn('unshare', command, { env: environmentOf(noFaults) })
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    assert.match(stdout, /^failed [A-Z_]+$/m, stderr)
    assert.equal(code, 1)
    context.diagnostic(`${mebibytes} MiB: ${/^failed ([A-Z_]+)$/m.exec(stdout)![1]}`)
    const events: (readonly [number, number, number])[] = []
    let notes = 0
    for (const line of stdout.split('\n')) {
      const [what, first, places] = line.split(' ')
      if (what === 'noted') notes = Number(first)
      if (what !== 'acked') continue
      places!.split(',').forEach((place, nth) => {
        const [partition, offset] = place.split(':').map(Number) as [number, number]
        events.push([Number(first) + nth, partition, offset])
      })
    }
    cpSync(outside, folder, { recursive: true })
    rmSync(outside, { recursive: true })
    assertWhole(folder, 4, { events, notes, forgot: 0 })
  }
})
