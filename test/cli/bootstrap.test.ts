// Goal: a history is imported by the real program, over a kill -9 at any moment, and then served and trained from.
// Method: child processes on one data folder after another; the killed one has so many rows that it is not done.
import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runCli, start, startDev } from './run-cli.ts'

const definitions = join(import.meta.dirname, 'history-definitions.ts')
const until = Date.UTC(2026, 5)

describe('bootstrap', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-bootstrap-'))
  })
  after(async () => {
    await rm(folder, { recursive: true })
  })

  /** Payments of ten customers, a minute apart, the last one a minute before the hand-over point. */
  async function payments(name: string, count: number): Promise<string> {
    const rows = Array.from({ length: count }, (_, index) => {
      const at = new Date(until - (count - index) * 60_000).toISOString()
      return `p${index},${index % 10},1.25,${at}`
    })
    const path = join(folder, name)
    await writeFile(path, ['paymentId,customerId,amount,at', ...rows].join('\n'))
    return path
  }

  const bootstrap = async (data: string, ...args: string[]) =>
    await runCli(['bootstrap', definitions, ...args, '--folder', data])

  test('imports files, says what it did, and the values are there', async () => {
    const data = join(folder, 'data')
    const file = await payments('past.csv', 3_000)
    const first = await bootstrap(data, `payments=${file}`)
    assert.deepEqual(first, {
      code: 0,
      stdout: "payments: 3,000 rows of 1 file in history.payments, 0 refused, 0 outside of the history's span\n",
      stderr: '',
    })
    const again = await bootstrap(data, `payments=${file}`)
    assert.match(again.stdout, /^payments: already there, nothing was written\n/)
    const other = await bootstrap(data, `payments=${await payments('other.csv', 10)}`)
    assert.equal(other.code, 1)
    assert.match(other.stderr, /^HISTORY_COMPLETE: /)

    const dev = await startDev([definitions, '--folder', data])
    try {
      const busy = await bootstrap(data, `payments=${file}`)
      assert.match(busy.stderr, /^FOLDER_IN_USE: /)
      const asOf = ['--as-of', new Date(until).toISOString(), '--url', dev.address]
      let vector = await runCli(['get', 'spending', 'customerId=3', ...asOf])
      for (let tries = 0; !/payments_ever +300 +PRESENT/.test(vector.stdout) && tries < 50; tries++) {
        vector = await runCli(['get', 'spending', 'customerId=3', ...asOf])
      }
      // 1,440 minutes, one in ten of this customer.
      assert.match(vector.stdout, /amount_1d +180 +PRESENT/)
      assert.match(vector.stdout, /payments_ever +300 +PRESENT/)
    } finally {
      dev.process.kill('SIGTERM')
      await dev.finished
    }
    const at = new Date(until).toISOString()
    const what = ['explain', definitions, 'spending', 'amount_1d', 'customerId=3']
    const explained = await runCli(what.concat('--as-of', at, '--folder', data, '--limit', '1'))
    assert.match(explained.stdout, /^spending\.amount_1d = 180 {2}PRESENT\n/)
    assert.match(explained.stdout, /history\.payments\/\d@\d+/)
  })

  test('refuses bad rows with their places, before anything is written', async () => {
    const data = join(folder, 'bad')
    const file = join(folder, 'bad.csv')
    await writeFile(file, 'paymentId,customerId,amount,at\np1,1,1.255,2026-05-01T00:00:00Z\np2,1,1.25,2026-05-01\n')
    const refused = await bootstrap(data, file)
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /^HISTORY_ROWS_REFUSED: 2 of 2 rows for stream "payments" would be refused\n/)
    assert.match(refused.stderr, /bad\.csv row 1: amount SCALE: /)
    assert.match(refused.stderr, /bad\.csv row 2: at TIME: /)
    const kept = await bootstrap(data, file, '--keep-refused')
    assert.match(kept.stdout, /2 rows of 1 file in history\.payments, 2 refused/)
  })

  test('killed with kill -9 it goes on where it was, and nothing is there twice', async () => {
    const data = join(folder, 'killed')
    const file = await payments('large.csv', 30_000)
    const child = start(['bootstrap', definitions, file, '--folder', data])
    const segment = join(data, 'log/topics/history.payments/0/00000000000000000000.log')
    const sizeOf = async (): Promise<number> =>
      await stat(segment).then(
        ({ size }) => size,
        () => 0,
      )
    while ((await sizeOf()) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
    const rest = await bootstrap(data, file, '--json')
    assert.equal(rest.code, 0, rest.stderr)
    const [imported] = JSON.parse(rest.stdout) as { rows: number; found: number }[]
    assert.equal(imported!.rows, 30_000)
    assert.ok(imported!.found > 0 && imported!.found < 30_000, `${imported!.found} rows were there`)
    const out = join(folder, 'set.csv')
    const spine = join(folder, 'spine.csv')
    await writeFile(spine, `customerId,at\n3,${new Date(until).toISOString()}\n`)
    const target = ['--service', 'spending', '--spine', spine, '--at', 'at', '--folder', data, '--out', out]
    const trained = await runCli(['train', definitions].concat(target))
    assert.match(
      trained.stdout,
      /^payments: 30000 records = 30000 accepted \+ 0 duplicate \+ 0 late \+ 0 refused \(arrival: as in the log\)\n/,
    )
  })
})
