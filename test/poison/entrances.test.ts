// Goal: through every entrance the same bytes get the same verdict for the same reasons, nothing vanishes, and the good
// event behind a poisonous one is accepted at once.
// Method: a millrace of its own for each entrance. Everything that an entrance carries goes in, each followed by a good
// event; then the counters, the log and the dead letters must say exactly what the manifest says. What an entrance
// cannot carry is tried as well: it must be refused as a whole, or come in as other bytes.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Letter, letters, placeOf } from '../../src/app/dead-letters.ts'
import { type Mill, millrace } from '../../src/app/mill.ts'
import { startServer } from '../../src/app/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import { MillraceError } from '../../src/base/faults.ts'
import { sendEvents } from '../../src/cli/commands/send.ts'
import { standInHeader } from '../../src/plan/open-rejections.ts'
import { carriedBy, type Entrance, type Poison, poison } from './corpus.ts'
import { payments, promptSpending, spending } from './definitions.ts'

type Place = { readonly partition: number; readonly offset: number }
/** What an entrance answers: where its events lie, and why some are refused; null: nothing was taken. */
type Answer = { readonly places: readonly Place[]; readonly faults: readonly Fault[] } | null
type Fault = { readonly index: number; readonly code: string; readonly path: string }
type Door = {
  readonly entrance: Entrance
  /** Whether the good event can be in the same call. */
  readonly together: boolean
  /** Whether the event is written anew, so that its bytes are others. */
  readonly rewrites?: boolean
  send(bodies: readonly Uint8Array[]): Promise<Answer>
}
type Running = { readonly mill: Mill; readonly address: string; readonly folder: string }

async function withMill(use: (where: Running) => Promise<void>, view = spending): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-poison-'))
  const mill = await millrace({ definitions: [view], folder, partitions: 2, checkpointMs: 100_000 })
  const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
  try {
    await use({ mill, address: server.address, folder })
  } finally {
    await server.close()
    await mill.close()
    await rm(folder, { recursive: true })
  }
}

async function post(address: string, body: Uint8Array, type: string): Promise<Answer> {
  const answer = await fetch(new URL('/v1/events/payments', address), {
    method: 'POST',
    headers: { 'content-type': type },
    body: body as Uint8Array<ArrayBuffer>,
  })
  return answerOf(answer.status, await answer.json())
}

function answerOf(status: number, body: unknown): Answer {
  if (status === 400 || status === 413) return null
  assert.ok(status === 202 || status === 422, `${status} ${JSON.stringify(body)}`)
  const { offsets, faults = [] } = body as { offsets: Place[]; faults?: Fault[] }
  return { places: offsets.map(({ partition, offset }) => ({ partition, offset })), faults }
}

const joined = (parts: readonly (Uint8Array | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part)))
const between = (bodies: readonly Uint8Array[], mark: string): Buffer =>
  joined(bodies.flatMap((body, index) => (index === 0 ? [body] : [mark, body])))

async function cli(address: string, argument: string): Promise<Answer> {
  const answers = await Array.fromAsync(sendEvents('payments', argument, { url: address }))
  assert.equal(answers.length, 1)
  return answerOf(answers[0]!.answer.status, answers[0]!.answer.body)
}

function doors({ mill, address, folder }: Running): readonly Door[] {
  const file = join(folder, 'events.ndjson')
  return [
    {
      entrance: 'http one',
      together: false,
      send: async ([body]) => await post(address, body!, 'application/json'),
    },
    {
      entrance: 'http array',
      together: true,
      send: async (bodies) => await post(address, joined(['[', between(bodies, ','), ']']), 'application/json'),
    },
    {
      entrance: 'http lines',
      together: true,
      send: async (bodies) => await post(address, between(bodies, '\n'), 'application/x-ndjson'),
    },
    {
      entrance: 'cli argument',
      together: false,
      send: async ([body]) => await cli(address, Buffer.from(body!).toString()),
    },
    {
      entrance: 'cli file',
      together: true,
      async send(bodies) {
        await writeFile(file, between(bodies, '\n'))
        return await cli(address, `@${file}`)
      },
    },
    {
      entrance: 'library raw',
      together: true,
      async send(bodies) {
        try {
          const places = await mill.ingest('payments', bodies)
          const faults = places.flatMap(({ refusals }, index) =>
            refusals.map(({ code, path }) => ({ index, code, path })),
          )
          return { places: places.map(({ partition, offset }) => ({ partition, offset })), faults }
        } catch (error) {
          return refusedCall(error, 'LOG_RECORD_TOO_LARGE')
        }
      },
    },
    {
      entrance: 'library typed',
      together: false,
      rewrites: true,
      send: async ([body]) => await sendTyped(mill, body!),
    },
  ]
}

/** `send` says nothing of places: its event is what the log grew by. */
async function sendTyped(mill: Mill, body: Uint8Array): Promise<Answer> {
  const before = endsOf(mill)
  let faults: Fault[] = []
  try {
    await mill.send(payments, JSON.parse(Buffer.from(body).toString()) as Parameters<typeof mill.send>[1] & [])
  } catch (error) {
    if (!(error instanceof MillraceError && error.code === 'EVENT_REFUSED')) {
      return error instanceof SyntaxError ? null : refusedCall(error, 'REQUEST_MALFORMED', 'LOG_RECORD_TOO_LARGE')
    }
    const texts = String(error.details['faults']).matchAll(/(?:^|; )(\S*) ([A-Z]+): /g)
    faults = [...texts].map(([, path, code]) => ({ index: 0, code: code!, path: path! }))
  }
  const partition = endsOf(mill).findIndex((end, index) => end > before[index]!)
  return { places: [{ partition, offset: before[partition]! }], faults }
}

function refusedCall(error: unknown, ...codes: readonly string[]): null {
  assert.ok(error instanceof MillraceError && codes.includes(error.code), String(error))
  return null
}

function endsOf({ log }: Mill): number[] {
  const { partitions } = log.topics().find(({ topic }) => topic === payments.topic)!
  return Array.from({ length: partitions }, (_, partition) => log.end(payments.topic, partition))
}

/** A customer whom no other event is about. */
const goodCustomer = 1_000_000
const goodEvent = (customerId: number): Buffer =>
  Buffer.from(
    JSON.stringify({ paymentId: `g${customerId}`, customerId, terminalId: 1, amount: 1, fraud: false, at: Date.now() }),
  )

async function isCountedAtOnce(mill: Mill, customerId: number): Promise<void> {
  const startedAt = performance.now()
  for (;;) {
    const { values } = mill.read('spending', { customerId }, { asOf: 'latest' })
    if (values[0] === 1) return
    assert.ok(performance.now() - startedAt < 5_000, `the good event of ${customerId} is counted at once`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function rawAt(mill: Mill, { partition, offset }: Place): Promise<Buffer> {
  const [record] = (await mill.log.read(payments.topic, partition, offset, 1)).records
  return Buffer.from(record!.value!)
}

/** Blanks around an event are framing wherever there is a frame. */
function trimmed(body: Uint8Array): Buffer {
  const isBlank = (byte: number | undefined): boolean => byte === 32 || byte === 9 || byte === 10 || byte === 13
  let [start, end] = [0, body.length]
  while (start < end && isBlank(body[start])) start += 1
  while (start < end && isBlank(body[end - 1])) end -= 1
  return Buffer.from(body.subarray(start, end))
}

const reasonsOf = ({ expected }: Poison) => (expected === 'accepted' ? [] : expected)
const short = (reasons: readonly { code: string; path: string }[]): string[] =>
  reasons.map(({ code, path }) => `${path} ${code}`)

async function lettersOf(mill: Mill): Promise<Map<string, Letter>> {
  await mill.caughtUp()
  await mill.engine.checkpoint()
  const all = await Array.fromAsync(letters(mill.log, { kind: 'refused' }, { clock: systemClock }))
  const found = new Map(all.map((letter) => [`${letter.partition}@${letter.offset}`, letter]))
  assert.equal(found.size, all.length, 'each refused event has one dead letter')
  return found
}

function assertCounts(mill: Mill, expected: { readonly accepted: number; readonly refused: number }): void {
  const total = { records: 0, accepted: 0, duplicate: 0, late: 0, refused: 0 }
  for (const source of mill.counts.sources) {
    for (const part of Object.keys(total) as (keyof typeof total)[]) total[part] += source[part]
  }
  const { accepted, refused } = expected
  assert.deepEqual(total, { records: accepted + refused, accepted, duplicate: 0, late: 0, refused })
}

const names = [
  'http one',
  'http array',
  'http lines',
  'cli argument',
  'cli file',
  'library raw',
  'library typed',
] as const

for (const entrance of names) {
  test(`${entrance}: the verdicts and reasons of the manifest`, async () => {
    await withMill(async (where) => {
      const { mill } = where
      const door = doors(where).find((one) => one.entrance === entrance)!
      const carried = carriedBy(entrance)
      const sent: { one: Poison; place: Place }[] = []
      for (const [index, one] of carried.entries()) {
        const good = goodEvent(goodCustomer + index)
        const answer = await door.send(door.together ? [one.body, good] : [one.body])
        assert.ok(answer !== null, `${one.name} was not taken`)
        assert.equal(answer.places.length, door.together ? 2 : 1, one.name)
        assert.ok(answer.faults.every((fault) => fault.index === 0))
        assert.deepEqual(short(answer.faults), short(reasonsOf(one)), one.name)
        if (!door.together) assert.deepEqual((await door.send([good]))?.faults, [])
        await isCountedAtOnce(mill, goodCustomer + index)
        sent.push({ one, place: answer.places[0]! })
      }
      const dead = await lettersOf(mill)
      for (const { one, place } of sent) {
        const raw = await rawAt(mill, place)
        const letter = dead.get(`${place.partition}@${place.offset}`)
        if (door.rewrites === true)
          assert.equal(raw.toString(), JSON.stringify(JSON.parse(Buffer.from(one.body).toString())))
        else assert.ok(raw.equals(entrance === 'library raw' ? one.body : trimmed(one.body)), `bytes of ${one.name}`)
        assert.equal(letter === undefined, one.expected === 'accepted', one.name)
        if (letter === undefined) continue
        assert.deepEqual(short(letter.detail as Fault[]), short(reasonsOf(one)), one.name)
        assert.ok(raw.equals(letter.raw!), `the dead letter of ${one.name} has other bytes`)
      }
      const refused = carried.filter(({ expected }) => expected !== 'accepted').length
      assert.equal(dead.size, refused)
      assertCounts(mill, { accepted: 2 * carried.length - refused, refused })
    })
  })
}

test('what an entrance cannot carry is not taken, or comes in as other bytes', async () => {
  await withMill(async (where) => {
    for (const door of doors(where)) {
      for (const { name, body, cannot } of poison) {
        const why = cannot[door.entrance]
        // Neither what the operating system does not pass on, nor what the compiler does not.
        if (why === undefined || why.startsWith('an argument') || why === 'it is no object') continue
        const before = endsOf(where.mill)
        const answer = await door.send([body])
        const grown = endsOf(where.mill).reduce((sum, end, partition) => sum + end - before[partition]!, 0)
        assert.equal(grown, answer?.places.length ?? 0, `${door.entrance}: ${name}`)
        for (const place of answer?.places ?? []) {
          assert.ok(!(await rawAt(where.mill, place)).equals(body), `${door.entrance} carries ${name}`)
        }
      }
    }
  })
})

test('replay: the verdicts and reasons of the manifest, for whole events in place of rejected ones', async () => {
  await withMill(async ({ mill }) => {
    const carried = carriedBy('replay')
    const refused = carried.filter(({ expected }) => expected !== 'accepted')
    const accepted = carried.filter(({ expected }) => expected === 'accepted')
    await mill.ingest(
      'payments',
      [...refused, ...accepted].map((_, index) => Buffer.from(`{${index}`)),
    )
    const waiting = [...(await lettersOf(mill)).values()]
    for (const one of refused) {
      const place = placeOf(waiting[0]!)
      const result = await mill.replays.fix({ kind: 'refused', place, mended: { event: one.body } })
      assert.ok(result.outcome === 'refused', `${one.name}: ${result.outcome}`)
      assert.deepEqual(short(result.faults), short(reasonsOf(one)), one.name)
    }
    assertCounts(mill, { accepted: 0, refused: carried.length })
    for (const [index, one] of accepted.entries()) {
      const place = placeOf(waiting[index]!)
      const result = await mill.replays.fix({ kind: 'refused', place, mended: { event: one.body } })
      assert.ok(result.outcome === 'sent', `${one.name}: ${result.outcome}`)
      assert.ok((await rawAt(mill, result.at)).equals(one.body))
    }
    // Sent all the same, as by another hand: they are judged as what they are.
    const again = new Map<string, Poison>()
    for (const [index, one] of refused.entries()) {
      const { topic, partition, offset, timestampMs } = waiting[accepted.length + index]!
      const headers = [[standInHeader, Buffer.from(String(offset))]] as const
      const at = await mill.log.append(topic, partition, [{ key: null, value: one.body, timestampMs, headers }])
      again.set(`${partition}@${at}`, one)
    }
    const dead = await lettersOf(mill)
    for (const [place, one] of again) {
      const letter = dead.get(place)!
      assert.deepEqual(short(letter.detail as Fault[]), short(reasonsOf(one)), one.name)
      assert.ok(Buffer.from(letter.raw!).equals(one.body))
    }
    assertCounts(mill, { accepted: accepted.length, refused: carried.length + refused.length })
  })
})

test('an event ahead of its time is FUTURE through every entrance', async () => {
  await withMill(async (where) => {
    const body = Buffer.from(
      goodEvent(1)
        .toString()
        .replace(/"at":\d+/, `"at":"2099-12-31T00:00:00Z"`),
    )
    for (const door of doors(where)) {
      assert.deepEqual(short((await door.send([body]))!.faults), ['at FUTURE'], door.entrance)
    }
    for (const letter of (await lettersOf(where.mill)).values()) {
      const result = await where.mill.replays.fix({
        kind: 'refused',
        place: placeOf(letter),
        mended: { event: body },
      })
      assert.deepEqual(result.outcome === 'refused' && short(result.faults), ['at FUTURE'])
    }
  }, promptSpending())
})
