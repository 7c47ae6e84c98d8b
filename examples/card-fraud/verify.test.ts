// Goal: the verification fails when a value is wrong, by either path, and only then.
// Method: a few days of simulated payments stand for the published ones. What one path computes is the expected file
// of the other; then one value of it is changed.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compile, openTableReader, openTableWriter, train } from 'millrace'
import { fraudV1 } from './features.ts'
import { simulatePayments } from './simulator.ts'

const features = fraudV1.views.flatMap((view) => Object.keys(view.features))
let folder: string
const file = (name: string): string => join(folder, name)

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-verify-test-'))
  const payments = [
    ...simulatePayments({
      seed: 3,
      startMs: Date.UTC(2026, 0, 1),
      customers: 60,
      terminals: 200,
      radius: 20,
      days: 12,
    }),
  ]
  const writer = await openTableWriter(file('events.parquet'), [
    { name: 'transaction_id', type: 'int64', nullable: false },
    { name: 'ts', type: 'timestamp', nullable: false },
    { name: 'customer_id', type: 'int64', nullable: false },
    { name: 'terminal_id', type: 'int64', nullable: false },
    { name: 'amount', type: 'double', nullable: false },
    { name: 'fraud', type: 'int64', nullable: false },
  ])
  await writer.write({
    rows: payments.length,
    columns: [
      payments.map((_, index) => index),
      payments.map(({ at }) => at),
      payments.map(({ customerId }) => customerId),
      payments.map(({ terminalId }) => terminalId),
      payments.map(({ amount }) => amount),
      payments.map(({ fraud }) => (fraud ? 1 : 0)),
    ],
  })
  await writer.close()
  await train({
    plan: compile([fraudV1]),
    target: fraudV1.name,
    spine: file('events.parquet'),
    at: 'ts',
    inclusive: true,
    history: { files: { payments: [file('events.parquet')] } },
    output: file('expected.parquet'),
  })
  await writeChanged('t_nb_1d', 1)
})

after(async () => {
  await rm(folder, { recursive: true })
})

/** Adds to one value of a feature in the last row. */
async function writeChanged(feature: string, by: number): Promise<void> {
  const names = ['transaction_id', ...features]
  const columns = names.map((): number[] => [])
  for await (const batch of (await openTableReader(file('expected.parquet'))).read(names)) {
    batch.columns.forEach((values, index) => columns[index]!.push(...values.map(Number)))
  }
  const column = columns[names.indexOf(feature)]!
  column[column.length - 1]! += by
  const writer = await openTableWriter(
    file('changed.parquet'),
    names.map((name) => ({ name, type: 'double', nullable: false })),
  )
  await writer.write({ rows: column.length, columns })
  await writer.close()
}

function verify(...args: readonly string[]): { status: number | null; lines: readonly string[] } {
  const script = fileURLToPath(new URL('verify.ts', import.meta.url))
  const run = spawnSync(
    process.execPath,
    ['--conditions=millrace-source', script, '--events', file('events.parquet'), ...args],
    {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1' },
    },
  )
  return { status: run.status, lines: run.stdout.trim().split('\n') }
}

for (const path of ['training', 'stream']) {
  test(`by ${path}, equal values pass`, () => {
    const { status, lines } = verify('--expected', file('expected.parquet'), '--path', path)
    assert.equal(lines.at(-1), '14 passed, 0 failed')
    assert.equal(status, 0)
  })

  test(`by ${path}, one different value of one feature fails, and is shown`, () => {
    const { status, lines } = verify('--expected', file('changed.parquet'), '--path', path)
    assert.equal(lines.at(-1), '13 passed, 1 failed')
    assert.match(lines.find((line) => line.startsWith('t_nb_1d'))!, / 1 +1\.00e\+0 .*first: \d+ expected 1 got 0$/)
    assert.equal(status, 1)
  })
}

test('only the days asked for are compared', () => {
  const { status, lines } = verify('--expected', file('changed.parquet'), '--from', '2026-01-03', '--to', '2026-01-04')
  assert.equal(lines.at(-1), '14 passed, 0 failed')
  assert.equal(status, 0)
})

test('days without a payment prove nothing', () => {
  const { status, lines } = verify('--expected', file('expected.parquet'), '--from', '2030-01-01')
  assert.equal(lines.at(-1), '0 passed, 14 failed')
  assert.equal(status, 1)
})
