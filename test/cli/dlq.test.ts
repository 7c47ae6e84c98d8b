import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Dev, type Finished, runCli, startDev } from './run-cli.ts'

// Goal: from a dead letter to a value that counts it, by the commands that their help names, once.
// Method: the real program in child processes; one data folder, filled step by step by the tests in their order.

const definitions = join(import.meta.dirname, 'definitions.ts')
const start = Math.floor(Date.now() / 1_000) * 1_000 - 60_000
const at = (seconds: number): string => new Date(start + seconds * 1_000).toISOString()
const payment = (paymentId: string, seconds: number, more: object = {}): string =>
  JSON.stringify({ paymentId, customerId: 7, amount: 10, at: at(seconds), ...more })

let folder = ''
let data = ''
let dev: Dev

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-dlq-'))
  data = join(folder, 'data')
  dev = await startDev([definitions, '--folder', data, '--partitions', '2'])
})

after(async () => {
  dev.process.kill('SIGKILL')
  await dev.finished
  await rm(folder, { recursive: true })
})

const dlq = async (...args: string[]): Promise<Finished> => {
  const where = args[0] === 'list' || args.includes('--offline') ? ['--folder', data] : ['--url', dev.address]
  return await runCli(['dlq', ...args, ...where])
}

type Listed = { place: string; offset: number; reason: string; handled: { outcome: string; mended: boolean } | null }

async function listed(...args: string[]): Promise<Listed[]> {
  return JSON.parse((await dlq('list', '--json', ...args)).stdout) as Listed[]
}

/** Dead letters appear with the next checkpoint. */
async function placeOf(reason: string, ...args: string[]): Promise<string> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const found = (await listed('--reason', reason, ...args)).at(-1)
    if (found !== undefined) return found.place
  }
  return assert.fail(`no letter ${reason}`)
}

async function sums(): Promise<readonly unknown[]> {
  const address = dev.address
  const { stdout } = await runCli(['get', 'spending', 'customerId=7', '--as-of', 'latest', '--json', '--url', address])
  const { rows } = JSON.parse(stdout) as { rows: { values: unknown[] }[] }
  return rows[0]!.values.slice(0, 2)
}

describe('with a running dev', () => {
  test('what is still refused is not sent again, and the reasons are printed', async () => {
    for (const event of [payment('p1', 1), payment('p2', 2, { amount: 'much' }), payment('p3', 3, { at: 'noon' })]) {
      await runCli(['send', 'payments', event, '--url', dev.address])
    }
    const place = await placeOf('TYPE')
    const { code, stdout } = await dlq('replay', place)
    assert.equal(code, 1)
    assert.match(stdout, /^place +came from +stream +outcome +detail\n/)
    assert.match(stdout, /payments +refused +still: TYPE\n/)
    assert.ok(stdout.includes(`  ${place} amount: TYPE, came string "much", allowed a number`), stdout)
    assert.match(stdout, /\n1 dead letter: 1 refused\n$/)
  })

  test('a value is set, and the mended event counts once', async () => {
    const place = await placeOf('TYPE')
    const refused = await dlq('fix', place, '--set', 'amount=0.125')
    assert.equal(refused.code, 1)
    assert.match(refused.stdout, /amount: SCALE/)
    const sent = await dlq('fix', place, '--set', 'amount=5.50', '--set', 'note=hand made')
    assert.deepEqual([sent.code, sent.stderr], [0, ''])
    assert.match(sent.stdout, /sent +at \d@\d+\n1 dead letter: 1 sent\n$/)
    const again = await dlq('fix', place, '--set', 'amount=5.50')
    assert.equal(again.code, 0)
    assert.match(again.stdout, /settled +counts already/)
    assert.deepEqual(await sums(), [2, 7.75])
  })

  test('a whole event is given, from a file', async () => {
    const place = await placeOf('TIME', '--open')
    const file = join(folder, 'mended.json')
    await writeFile(file, payment('p3', 3, { amount: 0.5 }))
    assert.equal((await dlq('fix', place, '--with', `@${file}`, '--json')).code, 0)
    assert.deepEqual((await sums())[0], 3)
    assert.deepEqual(await listed('--open'), [])
    assert.match((await dlq('list')).stdout, / fixed at \d@\d+ /)
    const shown = await runCli(['dlq', 'show', place, '--folder', data])
    assert.match(shown.stdout, /\nreplay {5}fixed at \d@\d+\n/)
  })

  test('a late event would be late again', async () => {
    await runCli(['send', 'payments', payment('p4', -7_200), '--url', dev.address])
    const place = await placeOf('LATE', '--late')
    const { code, stdout } = await dlq('replay', place, '--late')
    assert.equal(code, 1)
    assert.match(stdout, /late +\d{4}-.*, watermark \d{4}-/)
    assert.deepEqual((await sums())[0], 3)
  })

  test('what it does not understand it says', async () => {
    for (const [args, hint] of [
      [['replay'], /Give places/],
      [['replay', '1@2', '--all'], /Give places/],
      [['replay', 'x'], /PARTITION@OFFSET/],
      [['fix', '0@0'], /--set path=value/],
      [['fix', '0@0', '--set', 'amount'], /--set amount=12\.5/],
      [['fix', '0@0', '--with', '{'], /one JSON object/],
      [['fix', '0@0', '--with', '@nowhere.json'], /@FILE/],
    ] as const) {
      const { code, stdout, stderr } = await dlq(...args)
      assert.deepEqual([code, stdout], [1, ''], args.join(' '))
      assert.match(stderr, /^REQUEST_MALFORMED: /)
      assert.match(stderr, hint)
    }
    const missing = await dlq('replay', '9@9')
    assert.deepEqual([missing.code, /missing +nothing is there/.test(missing.stdout)], [1, true])
  })
})

describe('with nothing running', () => {
  test('--offline opens the folder with the definitions that are applied', async () => {
    await runCli(['send', 'payments', payment('p5', 5, { amount: null }), '--url', dev.address])
    dev.process.kill('SIGTERM')
    await dev.finished
    const all = await dlq('replay', '--all', '--offline')
    assert.match(all.stdout, /1 dead letter: 1 refused\n$/)
    const [open] = await listed('--open')
    const sent = await dlq('fix', open!.place, '--set', 'amount=1', '--offline')
    assert.match(sent.stdout, /1 dead letter: 1 sent\n$/)
    assert.deepEqual(await listed('--open'), [])
    assert.equal((await dlq('replay', '--all', '--offline')).stdout, 'no open dead letters\n')
  })

  test('and only a folder that is there', async () => {
    const { code, stderr } = await runCli(['dlq', 'replay', '--all', '--offline', '--folder', join(folder, 'none')])
    assert.equal(code, 1)
    assert.match(stderr, /^FOLDER_WITHOUT_LOG/)
  })

  test('a number of partitions that has no effect is told', async () => {
    dev = await startDev([definitions, '--folder', data, '--partitions', '8'])
    await dev.printed('note   --partitions 8 is for new topics; those that exist keep their number: payments has 2\n')
    assert.deepEqual(await sums(), [4, (10 + 5.5 + 0.5 + 1) / 4])
  })
})
