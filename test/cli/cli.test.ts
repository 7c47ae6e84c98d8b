import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Dev, type Finished, runCli, startDev } from './run-cli.ts'

// Goal: every command does what its help says, against a real `millrace dev`, and says what to do when it cannot.
// Method: the real program in child processes; one data folder, filled step by step by the tests in their order. Times
// are near the machine's clock, because an event may be no more than five minutes ahead of it.

const definitions = join(import.meta.dirname, 'definitions.ts')
const start = Math.floor(Date.now() / 1_000) * 1_000 - 60_000
const at = (seconds: number): string => new Date(start + seconds * 1_000).toISOString()
const payment = (paymentId: string, seconds: number, more: object = {}): string =>
  JSON.stringify({ paymentId, customerId: 7, amount: 10, at: at(seconds), ...more })

let folder = ''
let data = ''
let dev: Dev

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'))
  data = join(folder, 'data')
  dev = await startDev([definitions, '--folder', data])
})

after(async () => {
  dev.process.kill('SIGKILL')
  await dev.finished
  await rm(folder, { recursive: true })
})

const send = async (event?: string, input?: string): Promise<Finished> =>
  await runCli(['send', 'payments', ...(event === undefined ? [] : [event]), '--url', dev.address], input)
const get = async (...args: string[]): Promise<Finished> => await runCli(['get', ...args, '--url', dev.address])

function assertRefused(finished: Finished, expected: { code: string; hint?: RegExp }): void {
  assert.equal(finished.code, 1, finished.stdout)
  assert.equal(finished.stdout, '')
  assert.equal(finished.stderr.split(':')[0], expected.code)
  if (expected.hint !== undefined) assert.match(finished.stderr, expected.hint)
}

/** What a terminal could obey: control characters but line breaks, and marks that turn text around. */
const obeyed = /(?!\n)\p{Cc}|[\u202a-\u202e]/u

/** Not JSON, so that the reason of its refusal quotes it. */
const hostile = 'owned\u001b]0;title\u0007\u009b31m\u202e'
const shown = 'owned\\u001b]0;title\\u0007\\u009b31m\\u202e'

describe('plan', { concurrency: true }, () => {
  test('prints streams, views and services for people', async () => {
    const { code, stdout, stderr } = await runCli(['plan', definitions])
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout, /^plan [0-9a-f]{12}\n/)
    assert.match(stdout, /amount_mean_1d +float \| null +mean\(amount\) over 1d\n/)
    assert.match(stdout, /feature service scoring_v1: spending\n$/)
  })

  test('prints the same as JSON for programs', async () => {
    const { code, stdout } = await runCli(['plan', definitions, '--json'])
    const plan = JSON.parse(stdout) as { hash: string; views: { features: { name: string }[] }[] }
    assert.equal(code, 0)
    assert.match(plan.hash, /^[0-9a-f]{64}$/)
    assert.deepEqual(
      plan.views[0]!.features.map(({ name }) => name),
      ['payments_1d', 'amount_mean_1d', 'last_note'],
    )
  })

  test('prints every fault of a broken definition and exits with 1', async () => {
    const broken = await runCli(['plan', join(import.meta.dirname, 'broken-definitions.ts')])
    assertRefused(broken, { code: 'DEFINITION' })
    assert.match(broken.stderr, /^DEFINITION: 3 fault\(s\)/)
    assert.match(broken.stderr, /payments\.topic: "no topic" is no topic/)
    assert.match(broken.stderr, /spending\.keys\.customerId: .*did you mean "customerId"\?/)
    assert.match(broken.stderr, /spending\.features\.payments_0d\.over: the window "0d" is empty/)
  })

  test('says which file could not be read', async () => {
    assertRefused(await runCli(['plan', 'none.ts']), { code: 'DEFINITIONS_UNREADABLE', hint: /exports/ })
  })
})

describe('send', () => {
  test('sends one event and says where it lies', async () => {
    const { code, stdout, stderr } = await send(payment('p1', 0, { note: 'first' }))
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout, /^durable 1 event at \d@0\n$/)
  })

  test('sends an array', async () => {
    const { code, stdout } = await send(`[${payment('p2', 1)},${payment('p3', 2, { amount: '10.50' })}]`)
    assert.equal(code, 0)
    assert.match(stdout, /^durable 2 events at (\d)@1, \1@2\n$/)
  })

  test('sends lines from standard input, and from a file', async () => {
    const piped = await send(undefined, `${payment('p4', 3)}\n\n${payment('p5', 4)}\n`)
    assert.equal(piped.code, 0)
    assert.match(piped.stdout, /^durable 2 events/)
    const file = join(folder, 'events.ndjson')
    await writeFile(file, payment('p6', 5))
    assert.match((await send(`@${file}`)).stdout, /^durable 1 event /)
  })

  test('prints every reason of every refused event; the others are durable', async () => {
    const refused = await send(`[${payment('p7', 6)},${payment('p8', 7, { amount: 1.005, at: 'noon' })},{}]`)
    assertRefused(refused, { code: 'EVENT_REFUSED', hint: /kept in the dead-letter-queue/ })
    const [head, ...lines] = refused.stderr.split('\n')
    assert.equal(head, 'EVENT_REFUSED: 2 of 3 events refused')
    assert.match(lines[0]!, /^ {2}event 1 amount: SCALE, came number 1\.005, allowed a number with at most 2 digits/)
    assert.match(lines[1]!, /^ {2}event 1 at: TIME, came string "noon", allowed an instant/)
    assert.deepEqual(
      lines.slice(2, 6).map((line) => line.split(',')[0]),
      ['paymentId', 'customerId', 'amount', 'at'].map((field) => `  event 2 ${field}: MISSING`),
    )
  })

  test('goes on after a refused event in a long input, and counts events through all of it', async () => {
    const lines = Array.from({ length: 5_003 }, (_, index) => payment(`other${index}`, 8, { customerId: 8 }))
    lines[5_001] = '{"paymentId":1}'
    const { code, stdout, stderr } = await send(undefined, lines.join('\n'))
    assert.equal(code, 1)
    assert.match(stdout, /^durable 5,000 events/)
    assert.match(stderr, /^EVENT_REFUSED: 1 of 3 events refused\n {2}event 5001 paymentId: TYPE/)
  })

  test('does not send a control character of a refused event to the terminal', async () => {
    const { code, stderr } = await send(undefined, hostile)
    assert.equal(code, 1)
    assert.ok(stderr.includes(shown), stderr)
    assert.doesNotMatch(stderr, obeyed)
  })

  test('names the nearest stream', async () => {
    const finished = await runCli(['send', 'paymnts', '{}', '--url', dev.address])
    assertRefused(finished, { code: 'NAME_UNDECLARED', hint: /nearest name is "payments"/ })
  })

  test('says so when there is no such file', async () => {
    assertRefused(await send('@none.ndjson'), { code: 'REQUEST_MALFORMED', hint: /could not read none\.ndjson/ })
  })
})

describe('get', () => {
  test('prints values, status and age for people', async () => {
    await caughtUp()
    const { code, stdout, stderr } = await get('scoring_v1', 'customerId=7', '--as-of', at(8))
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    const expected = [
      `as of ${at(8)}`,
      'feature                      value  status   age',
      'payments_1d                      7  PRESENT  2.0 s',
      'amount_mean_1d  10.071428571428571  PRESENT  2.0 s',
      'last_note                    first  PRESENT  2.0 s',
    ]
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.replaceAll(/ {2,}/g, '  ')),
      expected.map((line) => line.replaceAll(/ {2,}/g, '  ')),
    )
  })

  test('prints the answer of the server as JSON', async () => {
    const { code, stdout } = await get('spending', 'customerId=7', '--as-of', String(start + 8_000), '--json')
    const answer = JSON.parse(stdout) as { rows: { values: unknown[] }[]; prefix: object }
    assert.equal(code, 0)
    assert.deepEqual(answer.rows[0]!.values, [7, 70.5 / 7, 'first'])
    assert.deepEqual(Object.keys(answer.prefix), ['payments'])
  })

  test('reads as of an instant, the one after the newest event included', async () => {
    assert.match((await get('spending', 'customerId=7', '--as-of', at(3))).stdout, /payments_1d +3 /)
    const { stdout } = await get('spending', 'customerId=7', '--as-of', 'latest')
    assert.ok(stdout.startsWith(`as of ${at(6).replace('000Z', '001Z')}\n`))
  })

  test('reads as if an event had been accepted, and does not keep it', async () => {
    const added = await get(
      'spending',
      'customerId=7',
      '--with',
      `payments=${payment('p9', 9, { note: '\u001b[31m' })}`,
    )
    assert.equal(added.code, 0)
    assert.match(added.stdout, /payments_1d +8 /)
    assert.match(added.stdout, /last_note +\\u001b\[31m /)
    assert.match((await get('spending', 'customerId=7', '--as-of', at(10))).stdout, /payments_1d +7 /)
  })

  test('says what is wrong with --with before anything is sent', async () => {
    const [noJson, noStream] = await Promise.all([
      get('spending', 'customerId=7', '--with', 'payments={a}'),
      get('spending', 'customerId=7', '--with', '{"amount":"1=2"}'),
    ])
    assertRefused(noJson, { code: 'REQUEST_MALFORMED', hint: /Write --with STREAM=EVENT/ })
    assertRefused(noStream, { code: 'REQUEST_MALFORMED', hint: /--with names no stream/ })
  })

  test('names the nearest service, and the keys that are missing', async () => {
    const [service, otherKey, noKey] = await Promise.all([
      get('scoring_v2', 'customerId=7'),
      get('spending', 'customer=7'),
      get('spending', '7'),
    ])
    assertRefused(service, { code: 'NAME_UNDECLARED', hint: /nearest name is "scoring_v1"/ })
    assertRefused(otherKey, { code: 'KEY_MALFORMED', hint: /"customerId".* is missing/ })
    assertRefused(noKey, { code: 'REQUEST_MALFORMED', hint: /name=value/ })
  })
})

describe('explain', () => {
  test('recomputes a value from the folder while dev runs, with every event behind it', async () => {
    const args = ['explain', definitions, 'spending', 'amount_mean_1d', 'customerId=7', '--folder', data]
    const { code, stdout, stderr } = await runCli([...args, '--as-of', at(3)])
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout, /^spending\.amount_mean_1d = 10\.166666666666666 {2}PRESENT\n/)
    assert.match(stdout, /mean = 10\.166666666666666 over \[.*\), 3 events\n/)
    assert.match(stdout, / p3 +10\.5 +payments\/\d@2\n/)
    const limited = JSON.parse((await runCli([...args, '--as-of', at(8), '--json'])).stdout) as { value: number }
    assert.equal(limited.value, 70.5 / 7)
  })

  test('finds the feature in a service, and names the nearest one otherwise', async () => {
    const args = (feature: string): string[] => [definitions, 'scoring_v1', feature, 'customerId=7', '--folder', data]
    assert.match((await runCli(['explain', ...args('payments_1d')])).stdout, /^spending\.payments_1d = 7 /)
    const unknown = await runCli(['explain', ...args('payment_1d')])
    assertRefused(unknown, { code: 'NAME_UNDECLARED', hint: /nearest name is "payments_1d"/ })
  })
})

describe('dlq', () => {
  test('lists what was refused, without a control character of the event', async () => {
    const { stdout } = await eventually(
      () => runCli(['dlq', 'list', '--folder', data]),
      ({ stdout: text }) => text.includes('4 dead letters'),
    )
    assert.match(stdout, /^place +came from +stream +recorded +reason +replay +raw\n/)
    assert.match(stdout, / SCALE,TIME +open +\{"paymentId":"p8"/)
    assert.ok(stdout.includes(shown), stdout)
    assert.doesNotMatch(stdout, obeyed)
    const newest = await runCli(['dlq', 'list', '--folder', data, '--limit', '1'])
    assert.match(newest.stdout, /owned.*\n4 dead letters, the newest 1 shown\n$/)
  })

  test('shows one with its reasons and its raw bytes', async () => {
    const list = JSON.parse((await runCli(['dlq', 'list', '--folder', data, '--json'])).stdout) as Listed[]
    const listed = list.find(({ raw }) => Buffer.from(raw, 'base64').includes('owned'))!
    const { code, stdout } = await runCli(['dlq', 'show', listed.place, '--folder', data])
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^stream +payments\ncame from +payments\/\d@\d+, recorded .*\nreason +JSON\n +event: JSON, came /,
    )
    assert.ok(stdout.endsWith(`\nraw        ${Buffer.byteLength(hostile)} bytes\n${shown}\n`), stdout)
    assert.doesNotMatch(stdout, obeyed)
  })

  test('lists late events apart, with what they were too late for', async () => {
    assert.equal((await runCli(['dlq', 'list', '--late', '--folder', data])).stdout, 'no late events\n')
    assert.equal((await send(payment('late', -601))).code, 0)
    const late = await eventually(
      () => runCli(['dlq', 'list', '--late', '--folder', data, '--json']),
      ({ stdout }) => stdout.includes('LATE'),
    )
    const [{ place } = { place: '' }] = JSON.parse(late.stdout) as Listed[]
    const { stdout } = await runCli(['dlq', 'show', place, '--late', '--folder', data])
    assert.ok(stdout.includes(`event time ${at(-601)}\n`) && stdout.includes(`watermark  ${at(8)}\n`), stdout)
  })

  test('says so when the place or the folder is not there', async () => {
    const show = (place: string): Promise<Finished> => runCli(['dlq', 'show', place, '--folder', data])
    for (const finished of await Promise.all(['0@99', '99@0', 'first'].map(show))) {
      assertRefused(finished, { code: 'REQUEST_MALFORMED', hint: /as `millrace dlq list` prints it/ })
    }
    const nowhere = await runCli(['dlq', 'list', '--folder', join(folder, 'nowhere')])
    assertRefused(nowhere, { code: 'FOLDER_WITHOUT_LOG', hint: /millrace dev/ })
  })
})

describe('train', () => {
  const args = (more: string[]): string[] => ['train', definitions, '--service', 'scoring_v1', '--at', 'at', ...more]

  test('builds a set from the log, with the values that were served', async () => {
    const spine = join(folder, 'spine.csv')
    const out = join(folder, 'set.csv')
    await writeFile(spine, `customerId,at,label\n7,${at(8)},1\n7,${at(3)},0\n9,${at(8)},0\n`)
    const { code, stdout } = await runCli(args(['--spine', spine, '--folder', data, '--out', out]))
    assert.equal(code, 0)
    assert.match(stdout, /^payments: 5014 records = 5009 accepted \+ 0 duplicate \+ 1 late \+ 4 refused/)
    assert.deepEqual((await readFile(out, 'utf8')).trimEnd().split(/\r?\n/), [
      'customerId,at,label,payments_1d,amount_mean_1d,last_note',
      `7,${at(8)},1,7,${70.5 / 7},first`,
      `7,${at(3)},0,3,${30.5 / 3},first`,
      `9,${at(8)},0,0,,`,
    ])
    const manifest = JSON.parse(await readFile(`${out}.manifest.json`, 'utf8')) as { bound: string; plan: string }
    assert.equal(manifest.bound, 'ts < instant')
  })

  test('builds a set from CSV events', async () => {
    const events = join(folder, 'events.csv')
    const spine = join(folder, 'spine-of-files.csv')
    const out = join(folder, 'set-of-files.csv')
    await writeFile(
      events,
      'paymentId,customerId,amount,at\na,1,2.50,2026-01-05T10:00:00Z\nb,1,3.50,2026-01-05T11:00:00Z\n',
    )
    await writeFile(spine, 'customerId,at\n1,2026-01-05T11:00:00Z\n')
    const history = ['--events', events, '--spine', spine, '--out', out]
    const { code, stdout } = await runCli(args(history))
    assert.equal(code, 0)
    assert.match(stdout, /arrival: unknown/)
    assert.match(await readFile(out, 'utf8'), /\n1,2026-01-05T11:00:00Z,1,2\.5,/)
    assert.equal((await runCli(args([...history, '--include-instant']))).code, 0)
    assert.match(await readFile(out, 'utf8'), /\n1,2026-01-05T11:00:00Z,2,3,/)
  })
})

describe('processes', () => {
  test('a second dev on the folder names the process that has it', async () => {
    const second = await runCli(['dev', definitions, '--folder', data, '--port', '0'])
    assertRefused(second, { code: 'FOLDER_IN_USE', hint: new RegExp(`in use by process ${dev.process.pid}\\n`) })
  })

  test('a dev on a port in use ends, and leaves its folder free', async () => {
    const args = ['dev', definitions, '--folder', join(folder, 'other'), '--port', new URL(dev.address).port]
    for (let time = 0; time < 2; time++)
      assertRefused(await runCli(args), { code: 'ADDRESS_UNUSABLE', hint: /0 picks a free one/ })
  })

  test('a client of a wrong port is told how to start one', async () => {
    const ask = (url: string): Promise<Finished> => runCli(['get', 'spending', 'customerId=7', '--url', url])
    for (const finished of await Promise.all(['http://127.0.0.1:1', '127.0.0.1:1'].map(ask))) {
      assertRefused(finished, { code: 'SERVER_UNREACHABLE', hint: /Start it with `millrace dev`/ })
    }
  })

  test('a word that is no command points to the help', async () => {
    const { code, stderr } = await runCli(['plna'])
    assert.equal(code, 1)
    assert.match(stderr, /unknown command 'plna'\n\(Did you mean plan\?\)\n`millrace --help` says/)
  })

  test('SIGTERM lets dev answer what is under way, keep it, and exit with 0', async () => {
    const event = payment('p10', 10)
    const answered = new Promise<number>((resolve, reject) => {
      const post = request(`${dev.address}/v1/events/payments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': event.length },
      })
      post.on('response', (response) => resolve(response.resume().statusCode!)).on('error', reject)
      post.write(event.slice(0, 20), () => {
        void health().then(async () => {
          dev.process.kill('SIGTERM')
          await dev.printed('stopping')
          post.end(event.slice(20))
        }, reject)
      })
    })
    assert.equal(await answered, 202)
    const { code, stderr } = await dev.finished
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    const args = [definitions, 'spending', 'payments_1d', 'customerId=7', '--folder', data]
    assert.match((await runCli(['explain', ...args])).stdout, /^spending\.payments_1d = 8 /)
  })

  test('the next dev goes on where the last one stopped', async () => {
    dev = await startDev([definitions, '--folder', data])
    await caughtUp()
    assert.match((await get('spending', 'customerId=7', '--as-of', at(11))).stdout, /payments_1d +8 /)
    dev.process.kill('SIGINT')
    assert.equal((await dev.finished).code, 0)
  })
})

type Listed = { readonly place: string; readonly raw: string }

/** An answered probe: whatever this process sent before has reached the server by then. */
async function health(): Promise<void> {
  await (await fetch(`${dev.address}/health`)).text()
}

/** Sent events are visible to reads a moment after they are durable. */
async function caughtUp(): Promise<void> {
  const lag = async (): Promise<string> => await (await fetch(`${dev.address}/metrics`)).text()
  await eventually(lag, (text) => /^kafka_consumer_lag/m.test(text) && !/^kafka_consumer_lag\{.*\} [^0]/m.test(text))
}

async function eventually<T>(act: () => Promise<T>, holds: (result: T) => boolean): Promise<T> {
  const endAt = performance.now() + 15_000
  for (;;) {
    const result = await act()
    if (holds(result)) return result
    assert.ok(performance.now() < endAt, `still not so after 15 s: ${JSON.stringify(result)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
