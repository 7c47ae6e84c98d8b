/**
 * Card payments become fraud features, live and faster than real time: with disorder, duplicates, late and broken
 * events on the way, and with served vectors compared with training rows all the while.
 *
 *     npm run demo -- [--seconds N] [--speed TIMES] [--customers N] [--seed N] [--port N] [--folder PATH]
 */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { MillraceError } from 'millrace'
import { lookLines } from './demo/look.ts'
import { Session, type SessionOptions } from './demo/session.ts'
import { checksOf, summaryText } from './demo/summary.ts'
import { openDisplay } from './demo/terminal.ts'

const usage = `usage: npm run demo -- [options]
  --seconds N     end after N seconds; default: with Ctrl-C
  --speed TIMES   simulated time per real time; default 43200, a day in two seconds
  --customers N   default 1000, with twice as many terminals
  --seed N        other payments; default 1
  --port N        of the HTTP server on 127.0.0.1; default: a free one
  --folder PATH   where log and state go, and stay; default: a folder that is deleted at the end`

type Options = Omit<SessionOptions, 'folder'> & { readonly seconds: number | null; readonly folder: string | null }

async function main(): Promise<number> {
  const options = readOptions()
  if (options === null) return 2
  const kept = options.folder === null ? null : await openNewFolder(resolve(options.folder))
  const folder = kept ?? (await mkdtemp(join(tmpdir(), 'millrace-demo-')))
  try {
    return await runIn(folder, options)
  } finally {
    if (kept === null) await rm(folder, { recursive: true, force: true })
  }
}

async function runIn(folder: string, options: Options): Promise<number> {
  const stop = new AbortController()
  const interrupted = { signal: false }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted.signal = true
      stop.abort()
    })
  }
  const session = await Session.open({ ...options, folder })
  try {
    console.log(introduction(session))
    const timer = options.seconds === null ? null : setTimeout(() => stop.abort(), options.seconds * 1_000)
    const display = openDisplay(() => session.snapshot(), process.stdout)
    try {
      await session.run(stop.signal)
    } finally {
      display.close()
      if (timer !== null) clearTimeout(timer)
    }
    await session.settle()
    const snapshot = session.snapshot()
    const checks = checksOf(session, snapshot, !interrupted.signal)
    console.log(summaryText(session, snapshot, checks))
    return checks.every(({ passed }) => passed) ? 0 : 1
  } finally {
    await session.close()
  }
}

function introduction({ place }: Session): string {
  return [
    'Simulated card payments stream through millrace: out of order, some twice, some late, some broken.',
    'Sampled vectors are compared, bit for bit, with training rows that another thread builds from the log.',
    '',
    'Look from another terminal:',
    ...lookLines(place).map((line) => `  ${line}`),
    '',
  ].join('\n')
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string' },
      speed: { type: 'string', default: '43200' },
      customers: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      port: { type: 'string', default: '0' },
      folder: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const seconds = values.seconds === undefined ? null : Number(values.seconds)
  const [speed, customers, seed, port] = [values.speed, values.customers, values.seed, values.port].map(Number)
  const sound =
    (seconds === null || seconds > 0) &&
    speed! > 0 &&
    Number.isSafeInteger(customers) &&
    customers! >= 100 &&
    Number.isSafeInteger(seed) &&
    Number.isInteger(port)
  if (values.help || !sound) {
    console.error(usage)
    return null
  }
  return { seconds, speed: speed!, customers: customers!, seed: seed!, port: port!, folder: values.folder ?? null }
}

/** The simulation starts over with every run: the log of another one would make its payments late or duplicates. */
async function openNewFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty: give a folder that is, or a new one`)
  return folder
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof MillraceError ? `${error.code}: ${error.message}\n${error.hint}` : error)
  process.exitCode = 1
}
