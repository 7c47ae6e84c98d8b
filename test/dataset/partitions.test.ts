// Goal: threads, spills and deaths change no byte of a training set.
// Method: one history with every kind of column and feature, trained in memory by one thread, then in other ways, by the
// checksums of the files; and every value against a read of the state that the stream would have.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { access, appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { compilePlan } from '../../src/app/load-plan.ts'
import { makeKeyState, applyEvent, type KeyState } from '../../src/kernel/key-state.ts'
import { fileHistory } from '../../src/dataset/history.ts'
import { readView } from '../../src/plan/finish-view.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { openTableReader, train } from '../../src/index.ts'
import { purchases, writePurchases } from './purchases.ts'

const plan = compilePlan([purchases])
let folder: string
const file = (name: string): string => join(folder, name)

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-partitions-'))
  await writePurchases({ events: file('events.csv'), spine: file('spine.csv') }, 1_600)
})
after(() => rm(folder, { recursive: true }))

const inputs = () => ({
  spine: file('spine.csv'),
  at: 'asked_at',
  history: { files: { purchases: [file('events.csv')] } },
})

async function checksum(name: string, options: Partial<Parameters<typeof train>[0]> = {}): Promise<string> {
  const { output } = await train({ plan, target: purchases.name, ...inputs(), output: file(name), ...options })
  await assert.rejects(access(`${file(name)}.parts`), 'nothing is left beside the output')
  return output.sha256
}

test('threads and spills change no byte', async () => {
  const expected = await checksum('plain.parquet')
  assert.equal(await checksum('spilled.parquet', { memory: 0 }), expected)
  assert.equal(await checksum('half.parquet', { memory: 80_000 }), expected)
  assert.equal(await checksum('threads.parquet', { threads: 2 }), expected)
  assert.equal(await checksum('both.parquet', { threads: 3, memory: 0 }), expected)
  assert.equal(await checksum('spilled.csv', { memory: 0 }), await checksum('plain.csv'))
})

test('every value is what the stream serves', async () => {
  await checksum('values.parquet', { memory: 0, threads: 2 })
  const events: Parameters<Parameters<ReturnType<typeof fileHistory>['read']>[0]>[0][] = []
  const table = await openTableReader(file('events.csv'))
  await fileHistory(plan.streams[0]!, [{ path: file('events.csv'), table }]).read(
    (event) => events.push(event),
    () => undefined,
  )
  const reader = await openTableReader(file('values.parquet'))
  const rows: Record<string, unknown>[] = []
  for await (const batch of reader.read(reader.columns)) {
    for (let row = 0; row < batch.rows; row++) {
      rows.push(Object.fromEntries(reader.columns.map((name, column) => [name, batch.columns[column]![row]])))
    }
  }
  for (const view of plan.views) {
    const own = events.map((event) => view.project(event)).filter((one) => one.outcome === 'applied')
    const byKey = Map.groupBy(own, ({ key }) => Buffer.from(key).toString('hex'))
    const kinds = view.keys.map(({ field }) => field.kind)
    const parse = { string: String, int: Number, boolean: (text: unknown) => text === 'true' } as const
    for (const row of rows.filter((_, index) => index % 7 === 0)) {
      const values = view.keys.map(({ name, field }) => parse[field.kind as keyof typeof parse](row[name]))
      const known = byKey.get(Buffer.from(encodeKey(kinds, values)).toString('hex')) ?? []
      const t = Number(row['asked_at'])
      let state: KeyState | null = null
      for (const { event } of known) {
        if (event.ts >= t) continue
        state ??= makeKeyState(view.program)
        applyEvent(view.program, state, event)
      }
      const read = readView(view, state, t)
      assert.deepEqual(
        view.features.map(({ name }) => row[name]),
        read.values,
        `${view.name} ${JSON.stringify(values)} as of ${t}`,
      )
    }
  }
})

test('killed in the middle of sweeping, the same command goes on and gives the same bytes', async () => {
  const expected = await checksum('expected.parquet')
  const options = { ...inputs(), output: file('killed.parquet'), memory: 0, slowMs: 20 }
  const parts = `${options.output}.parts`
  await run({ ...options, killWhen: async () => (await sweptIn(parts)) >= 5 })
  const left = await sweptIn(parts)
  assert.ok(left >= 5 && left < 16, `${left} partitions were swept`)
  await assert.rejects(access(options.output))
  // As after a loss of power: a file of which less is there than was written is made again.
  const [first] = (await readdir(parts)).filter((name) => name.endsWith('.swept'))
  await truncate(join(parts, first!), 200)
  const lines = await run({ ...options, slowMs: 0 })
  assert.ok(lines.includes('goes on where an earlier run stopped'), lines.join(', '))
  assert.ok(!lines.some((line) => line.startsWith('reading purchases')), 'nothing is read again')
  assert.ok(lines.includes(`sha256 ${expected}`))
  await assert.rejects(access(parts))
})

test('after a change of the inputs it starts anew, and says what differs', async () => {
  const options = { ...inputs(), output: file('changed.parquet'), memory: 0 }
  const parts = `${options.output}.parts`
  await run({ ...options, slowMs: 20, killWhen: async () => (await sweptIn(parts)) >= 3 })
  await writeFile(file('other.csv'), await readFile(file('spine.csv')))
  const lines = await run({ ...options, spine: file('other.csv') })
  assert.ok(lines.includes('starts anew, for this differs from the last time: spine'), lines.join(', '))
  assert.ok(lines.includes(`sha256 ${await checksum('unchanged.parquet')}`))
})

test('a spilled file that was changed is a fault that names it', async () => {
  const options = { ...inputs(), output: file('damaged.parquet'), memory: 0 }
  const parts = `${options.output}.parts`
  await run({ ...options, slowMs: 20, killWhen: async () => (await sweptIn(parts)) >= 3 })
  const damaged = join(parts, 'events-1.segments')
  const bytes = await readFile(damaged)
  bytes[bytes.length >> 1]! ^= 1
  await writeFile(damaged, bytes)
  await assert.rejects(checksum('damaged.parquet', { memory: 0 }), {
    code: 'SPILL_FAILED',
    message: /events-1\.segments/,
  })
})

test('a fault in what is read leaves nothing behind', async () => {
  await writeFile(file('bad.csv'), await readFile(file('events.csv')))
  await appendFile(file('bad.csv'), '\nx,c1,1,true,1.234,,,0')
  const history = { files: { purchases: [file('bad.csv')] } }
  await assert.rejects(checksum('bad.parquet', { history, memory: 0 }), { code: 'FILE_VALUE_REFUSED' })
  await assert.rejects(access(`${file('bad.parquet')}.parts`))
})

type Run = Record<string, unknown> & { readonly killWhen?: () => Promise<boolean> }

async function run({ killWhen, ...options }: Run): Promise<string[]> {
  const script = join(import.meta.dirname, 'train-worker.ts')
  const child = spawn(process.execPath, ['--conditions=millrace-source', script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const watch =
    killWhen === undefined ? null : setInterval(() => void killWhen().then((due) => due && child.kill('SIGKILL')), 5)
  const code = await ended
  if (watch !== null) clearInterval(watch)
  assert.equal(code, killWhen === undefined ? 0 : null)
  return text.trimEnd().split('\n')
}

async function sweptIn(parts: string): Promise<number> {
  const names = await readdir(parts).catch((): string[] => [])
  return names.filter((name) => name.endsWith('.swept')).length
}
