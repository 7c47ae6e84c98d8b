// Goal: what goes out to `feature-events.<view>` is every finished value that was promised, once, and no other.
// Method: events through the engine, in memory; what it emitted against the naive model of its log, and small cases by
// hand for what decides when an interval is over.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { entity } from '../../src/definition/entity.ts'
import { type Emit, type FeatureView, featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { compile } from '../../src/plan/compile.ts'
import type { Expression } from '../../src/schema/expression.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import { readOpen } from '../../src/stream/interval-entries.ts'
import { Outputs } from '../../src/stream/outputs.ts'
import { checkpointKey } from '../../src/stream/store-keys.ts'
import { makeEvent, payments } from '../integration/kill-stream.ts'
import { assertPerEvent, assertPerInterval, type EmittedTally, readEmitted } from '../oracle/matches-feature-events.ts'
import { emittingList, emittingViews, everyMs } from './emitting.ts'
import { type Disk, makeDisk, nowMs, type Process, type ProcessOptions, startProcess } from './harness.ts'

const seed = Number(process.env['SEED'] ?? 11)

async function assertAll(process: Process, corrections: 'none' | 'some'): Promise<EmittedTally[]> {
  const { log } = process
  const plan = process.plan.hash
  const { spendingPerEvent, spendingPerInterval, riskPerEvent, riskPerInterval } = emittingViews
  return [
    await assertPerEvent({ log, plan, view: spendingPerEvent }),
    await assertPerEvent({ log, plan, view: riskPerEvent }),
    await assertPerInterval({ log, plan, view: spendingPerInterval }, { everyMs, corrections }),
    await assertPerInterval({ log, plan, view: riskPerInterval }, { everyMs, corrections }),
  ]
}

async function finish(process: Process): Promise<void> {
  await process.engine.caughtUp()
  await process.engine.checkpoint()
}

describe('against the model', () => {
  test('of one partition: the running values after every event, and every interval once', async () => {
    const process = await startProcess(makeDisk(), { views: emittingList, partitions: 1, readMax: 7 })
    for (let batch = 0; batch < 8; batch++) {
      const events = Array.from({ length: 40 }, (_, nth) => makeEvent(seed, batch * 40 + nth))
      await append(process, { topic: payments.topic, partition: 0 }, events)
      if (batch % 2 === 0) await finish(process)
    }
    await finish(process)
    const [perEvent, , perInterval, ofTerminals] = await assertAll(process, 'none')
    assert.ok(perEvent!.records > 200 && perInterval!.records > 100 && ofTerminals!.records > 100, 'there was much')
  })

  test('of several partitions: the values at a prefix that can have been, and the last word on every interval', async () => {
    const process = await startProcess(makeDisk(), { views: emittingList, partitions: 2, readMax: 5 })
    for (let batch = 0; batch < 6; batch++) {
      for (const partition of [0, 1]) {
        const events = Array.from({ length: 25 }, (_, nth) => makeEvent(seed, (batch * 25 + nth) * 2 + partition))
        await append(process, { topic: payments.topic, partition }, events)
      }
      if (batch % 2 === 0) await finish(process)
    }
    await finish(process)
    const [, perEvent, , perInterval] = await assertAll(process, 'some')
    assert.ok(perEvent!.fromSeveral > 50 && perInterval!.fromSeveral > 5, 'terminals have events in both')
  })

  test('over restarts, with and without a checkpoint, and over the loss of the store', async () => {
    const disk = makeDisk()
    for (let run = 0; run < 6; run++) {
      if (run === 4) disk.store = makeDisk().store
      const process = await startProcess(disk, { views: emittingList, partitions: 1, keysMax: run % 2 === 0 ? 0 : 100 })
      const events = Array.from({ length: 40 }, (_, nth) => makeEvent(seed, run * 40 + nth))
      await append(process, { topic: payments.topic, partition: 0 }, events)
      await process.engine.caughtUp()
      if (run % 3 === 0) await process.engine.checkpoint()
      process.steps.die()
    }
    const process = await startProcess(disk, { views: emittingList, partitions: 1 })
    await finish(process)
    await assertAll(process, 'none')
  })
})

/** Appends with a record's own timestamp, which is what tells a silent partition. */
async function append(
  { log }: Pick<Process, 'log'>,
  place: { readonly topic: string; readonly partition: number },
  events: readonly (Uint8Array | object)[],
  timestampMs = nowMs,
): Promise<void> {
  await log.append(
    place.topic,
    place.partition,
    events.map((event) => ({
      key: null,
      value: event instanceof Uint8Array ? event : Buffer.from(JSON.stringify(event)),
      timestampMs,
    })),
  )
}

const from = stream('clicks', {
  topic: 'raw',
  fields: { id: string(), user: int(), price: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '10s',
})
const user = entity('user', { user: int() })

function clicksOf(emit: Emit): FeatureView {
  return featureView('by_user', {
    from,
    by: user,
    emit,
    features: (on) => ({ clicks_30s: on.count({ over: '30s' }), price: on.sum('price', { over: 'lifetime' }) }),
  })
}

/** Lets every event pass, and makes another view. */
const literal = (value: boolean): Expression => ({ op: 'literal', value })

const perMinute = clicksOf({ every: '1m', idle: '5m' })
const base = nowMs - 3_600_000
const second = 1_000
const minute = 60 * second

let clickCount = 0
const click = (afterMs: number, who = 1, price = 1): object => ({
  id: `c${clickCount++}`,
  user: who,
  price,
  at: base + afterMs,
})

class Clicks {
  readonly process: Process

  constructor(process: Process) {
    this.process = process
  }

  static async open(disk: Disk, options: Partial<ProcessOptions> & { partitions?: number } = {}): Promise<Clicks> {
    return new Clicks(await startProcess(disk, { views: [perMinute], partitions: 1, ...options }))
  }

  /** Appends, folds, and makes a checkpoint. */
  async send(events: readonly object[], at: { partition?: number; recordedMs?: number } = {}): Promise<void> {
    const { partition = 0, recordedMs = 60 * minute } = at
    await append(this.process, { topic: 'raw', partition }, events, base + recordedMs)
    await finish(this.process)
  }

  /** Minute, user, clicks in the last 30 s of it, and its events so far; with `!` for a correction. */
  async emitted(): Promise<string[]> {
    const all = await readEmitted(this.process.log, 'by_user')
    return all.map(({ event: { window_end: end, keys, features, events, correction } }) => {
      const at = (Date.parse(end) - base) / minute
      return `${at}m user ${String(keys['user'])}: ${String(features['clicks_30s'])} of ${events}${correction === true ? '!' : ''}`
    })
  }
}

describe('an interval', () => {
  test('is over when the watermark is past its end by the lateness, to the millisecond', async () => {
    const clicks = await Clicks.open(makeDisk())
    await clicks.send([click(10 * second), click(50 * second), click(70 * second - 1)])
    assert.deepEqual(await clicks.emitted(), [])
    await clicks.send([click(70 * second, 2)])
    assert.deepEqual(await clicks.emitted(), ['1m user 1: 1 of 2'])
  })

  test('ends before what happens at its end, and counts what came late within the lateness', async () => {
    const clicks = await Clicks.open(makeDisk())
    await clicks.send([click(minute), click(minute - 1), click(minute + 9 * second), click(59 * second)])
    await clicks.send([click(10 * minute, 2)])
    assert.deepEqual(await clicks.emitted(), ['1m user 1: 2 of 2', '2m user 1: 0 of 4'])
  })

  test('is read before the event that ends it, however far ahead that is', async () => {
    const clicks = await Clicks.open(makeDisk())
    await clicks.send([click(0), click(40 * second), click(50 * minute), click(50 * minute + 20 * second)])
    assert.deepEqual(await clicks.emitted(), ['1m user 1: 1 of 2'])
    const days = await Clicks.open(makeDisk())
    await days.send([click(-9 * 24 * 60 * minute), click(-9 * 24 * 60 * minute + 1), click(0), click(1)])
    assert.deepEqual(await days.emitted(), ['-12959m user 1: 0 of 2'])
  })

  test('in which nothing happened to a key is not emitted for it', async () => {
    const clicks = await Clicks.open(makeDisk())
    await clicks.send([click(0, 1), click(90 * second, 2), click(10 * minute, 3)])
    assert.deepEqual(await clicks.emitted(), ['1m user 1: 0 of 1', '2m user 2: 1 of 1'])
  })

  test('stays open over a restart, and is emitted once', async () => {
    const disk = makeDisk()
    const first = await Clicks.open(disk)
    await first.send([click(10 * second), click(70 * second)])
    await first.send([click(71 * second, 2)])
    first.process.steps.die()
    const next = await Clicks.open(disk)
    await next.send([click(135 * second, 3)])
    await next.process.engine.close()
    await next.process.log.close()
    const third = await Clicks.open(disk)
    await third.send([click(200 * second, 3)])
    assert.deepEqual(await third.emitted(), [
      '1m user 1: 0 of 1',
      '2m user 1: 0 of 2',
      '2m user 2: 0 of 1',
      '3m user 3: 0 of 1',
    ])
  })

  test('leaves nothing in the store when it is over', async () => {
    const disk = makeDisk()
    const clicks = await Clicks.open(disk)
    const entries = (): number => [...readOpen(disk.store, 'by_user')].length
    await clicks.send(Array.from({ length: 20 }, (_, nth) => click(nth, nth)))
    assert.equal(entries(), 20)
    await clicks.send([click(10 * minute, 1)])
    assert.equal(entries(), 1)
  })
})

describe('partitions', () => {
  test('the slowest decides', async () => {
    const clicks = await Clicks.open(makeDisk(), { partitions: 2 })
    await clicks.send([click(0, 2)], { partition: 1 })
    await clicks.send([click(0, 1), click(5 * minute, 1)])
    assert.deepEqual(await clicks.emitted(), [])
    await clicks.send([click(30 * second, 1), click(80 * second, 2)], { partition: 1 })
    assert.deepEqual((await clicks.emitted()).sort(), ['1m user 1: 1 of 2', '1m user 2: 0 of 1'])
  })

  test('one that never accepted anything is not waited for', async () => {
    const clicks = await Clicks.open(makeDisk(), { partitions: 3 })
    await clicks.send([{ broken: true }], { partition: 1 })
    await clicks.send([click(0), click(5 * minute)])
    assert.deepEqual(await clicks.emitted(), ['1m user 1: 0 of 1'])
  })

  test('one that is silent is not waited for once others are ahead of it by more than the bound', async () => {
    const clicks = await Clicks.open(makeDisk(), { partitions: 2 })
    await clicks.send([click(0, 2)], { partition: 1, recordedMs: 0 })
    await clicks.send([click(0, 1), click(5 * minute, 1)], { recordedMs: 5 * minute })
    assert.deepEqual(await clicks.emitted(), [])
    await clicks.send([click(5 * minute, 3)], { recordedMs: 5 * minute + 1 })
    assert.deepEqual((await clicks.emitted()).sort(), ['1m user 1: 0 of 1', '1m user 2: 0 of 1'])
  })

  test('one that is silent stays so over a restart', async () => {
    const disk = makeDisk()
    const first = await Clicks.open(disk, { partitions: 2 })
    await first.send([click(0, 2)], { partition: 1, recordedMs: 0 })
    await first.send([click(0, 1), click(5 * minute, 1)], { recordedMs: 6 * minute })
    assert.equal((await first.emitted()).length, 2)
    await first.process.engine.close()
    await first.process.log.close()
    const next = await Clicks.open(disk, { partitions: 2 })
    await next.send([click(7 * minute, 1)], { recordedMs: 7 * minute })
    assert.equal((await next.emitted()).length, 3)
  })

  test('one that has much left to read is waited for, however old it is', async () => {
    const disk = makeDisk()
    const before = await Clicks.open(disk, { partitions: 2 })
    before.process.steps.die()
    const old = Array.from({ length: 40 }, (_, nth) => click(nth * 10 * second, nth % 3))
    await append(before.process, { topic: 'raw', partition: 1 }, old, base)
    const ahead = Array.from({ length: 8 }, (_, nth) => click(nth * minute, nth % 3))
    await append(before.process, { topic: 'raw', partition: 0 }, ahead, base + 10 * minute)
    disk.store = makeDisk().store
    const clicks = await Clicks.open(disk, { partitions: 2, readMax: 1 })
    await finish(clicks.process)
    const all = await clicks.emitted()
    assert.ok(all.length > 10)
    assert.deepEqual(
      all.filter((one) => one.endsWith('!')),
      [],
    )
  })

  test('one that wakes up corrects what it changes: its interval, and those of the key after it', async () => {
    const disk = makeDisk()
    const options = { partitions: 2 }
    let clicks = await Clicks.open(disk, options)
    await clicks.send([click(0, 2)], { partition: 1, recordedMs: 0 })
    const minutes = Array.from({ length: 10 }, (_, nth) => click(nth * minute + 31 * second, 1))
    await clicks.send(minutes, { recordedMs: 10 * minute })
    const before = await clicks.emitted()
    assert.equal(before.length, 1 + 9)
    // After a restart nobody remembers but the store.
    await clicks.process.engine.close()
    await clicks.process.log.close()
    clicks = await Clicks.open(disk, options)
    // Its watermark is behind, and decides what is over: the fourth minute is not, yet.
    await clicks.send([click(100 * second, 1), click(220 * second, 5)], { partition: 1, recordedMs: 10 * minute })
    assert.deepEqual((await clicks.emitted()).filter((one) => one.endsWith('!')).sort(), [
      '2m user 1: 2 of 3!',
      '3m user 1: 1 of 4!',
    ])
    await clicks.process.engine.close()
    await clicks.process.log.close()
    clicks = await Clicks.open(disk, options)
    await clicks.send([click(9 * minute + 50 * second, 5)], { partition: 1, recordedMs: 10 * minute })
    const after = await clicks.emitted()
    assert.equal(after.filter((one) => one.endsWith('!')).length, 9)
    await assertPerInterval(
      { log: clicks.process.log, view: perMinute, plan: clicks.process.plan.hash },
      { everyMs: minute, corrections: 'some' },
    )
  })
})

describe('after a crash', () => {
  test('a checkpoint looks past what was gone through again', async () => {
    const disk = makeDisk()
    const first = await startProcess(disk, { views: emittingList, partitions: 1, cut: { at: 6, mode: 'before' } })
    const events = Array.from({ length: 120 }, (_, nth) => makeEvent(seed, nth))
    await append(first, { topic: payments.topic, partition: 0 }, events)
    await first.engine.caughtUp()
    void first.engine.checkpoint().catch(() => undefined)
    // Everything is emitted, and the store was not written.
    await first.steps.reached
    assert.equal(disk.store.get(checkpointKey), undefined)
    const process = await startProcess(disk, { views: emittingList, partitions: 1 })
    await finish(process)
    await assertAll(process, 'none')
    const { outputs } = JSON.parse(Buffer.from(disk.store.get(checkpointKey)!).toString()) as {
      outputs: { [topic: string]: number[] }
    }
    const topics = Object.keys(outputs)
    assert.equal(topics.length, 6)
    for (const topic of topics) {
      if (topic.endsWith('interval')) assert.ok(outputs[topic]![0]! > 10)
      assert.deepEqual(outputs[topic], [process.log.end(topic, 0)], topic)
    }
  })

  test('outputs that cannot be written stop the partitions they came from', async () => {
    const process = await startProcess(makeDisk(), { views: [clicksOf('event')], cut: { at: 0, mode: 'fails' } })
    await append(process, { topic: 'raw', partition: 1 }, [click(0)])
    await process.engine.caughtUp()
    await assert.rejects(process.engine.checkpoint(), {
      code: 'OUTPUT_WRITE_FAILED',
      message: /feature-events.by_user/,
    })
    assert.deepEqual(
      process.engine.halted.map(({ topic, partition }) => ({ topic, partition })),
      [{ topic: 'raw', partition: 1 }],
    )
    assert.equal(process.engine.fault, null)
  })
})

test('what waits to be written is counted until it is taken', async () => {
  const { log } = await startProcess(makeDisk(), { views: [clicksOf('event')], partitions: 1 })
  const outputs = new Outputs(log, new Map([['feature-events.by_user', 'f']]))
  const source = { stream: 'clicks', topic: 'raw', partition: 0, offset: 0 }
  const value = Buffer.alloc(1_000)
  outputs.addFeatures('feature-events.by_user', source, () => ({ key: Buffer.from('k'), value, timestampMs: 0 }))
  assert.ok(outputs.pendingBytes > 1_000 && outputs.pendingBytes < 1_500)
  await outputs.flush(outputs.take(() => 1))
  assert.equal(outputs.pendingBytes, 0)
})

describe('another plan', () => {
  /** What was emitted, by the plan it is of. */
  const plansOf = async (process: Process): Promise<string[]> =>
    (await readEmitted(process.log, 'by_user')).map(({ event }) => String(event['plan']))

  test('goes on in the same topic under its own hash, without a gap and without a repetition', async () => {
    const disk = makeDisk()
    const process = await startProcess(disk, { views: [clicksOf('event')], partitions: 1 })
    await append(process, { topic: 'raw', partition: 0 }, [click(0), click(1)])
    await finish(process)
    const changed = compile([{ ...clicksOf('event'), where: literal(true) }])
    await process.engine.apply(changed)
    await append(process, { topic: 'raw', partition: 0 }, [click(2), click(3)])
    await finish(process)
    const [old, next] = [process.plan.hash, changed.hash].map((hash) => hash.slice(0, 12))
    assert.deepEqual(await plansOf(process), [old, old, next, next])
    const events = (await readEmitted(process.log, 'by_user')).map(({ event }) => event.features['clicks_30s'])
    assert.deepEqual(events, [1, 2, 3, 4])
  })

  test('finishes the intervals that are open', async () => {
    const process = await startProcess(makeDisk(), { views: [perMinute], partitions: 1 })
    const clicks = new Clicks(process)
    await clicks.send([click(10 * second, 1), click(40 * second, 2)])
    await process.engine.apply(compile([{ ...perMinute, where: literal(true) }]))
    await clicks.send([click(10 * minute, 3)])
    assert.deepEqual(await clicks.emitted(), ['1m user 1: 0 of 1', '1m user 2: 1 of 1'])
    assert.equal(new Set(await plansOf(process)).size, 1)
  })

  test('of other intervals begins with what comes, and leaves nothing of the old ones', async () => {
    const disk = makeDisk()
    const process = await startProcess(disk, { views: [perMinute], partitions: 1 })
    const clicks = new Clicks(process)
    await clicks.send([click(10 * second, 1)])
    await process.engine.apply(compile([clicksOf({ every: '2m', idle: '5m' })]))
    await clicks.send([click(20 * second, 2), click(5 * minute, 3)])
    assert.deepEqual(await clicks.emitted(), ['2m user 2: 0 of 1'])
    assert.equal([...readOpen(disk.store, 'by_user')].length, 1)
  })

  test('that emits nothing ends it; one that emits again goes on from there', async () => {
    const process = await startProcess(makeDisk(), { views: [clicksOf('event')], partitions: 1 })
    const silent = { ...clicksOf('event') } as { emit?: unknown }
    delete silent.emit
    await append(process, { topic: 'raw', partition: 0 }, [click(0)])
    await finish(process)
    await process.engine.apply(compile([silent as FeatureView]))
    await append(process, { topic: 'raw', partition: 0 }, [click(1)])
    await finish(process)
    await process.engine.apply(process.plan)
    await append(process, { topic: 'raw', partition: 0 }, [click(2)])
    await finish(process)
    const offsets = (await readEmitted(process.log, 'by_user')).map(({ event }) => event.source!.offset)
    assert.deepEqual(offsets, [0, 2])
  })
})

describe('a record', () => {
  test('per event is JSON that says everything, keyed and timed for those who read topics', async () => {
    const view = clicksOf('event')
    const process = await startProcess(makeDisk(), { views: [view], partitions: 1 })
    await append(process, { topic: 'raw', partition: 0 }, [{ bad: 1 }, { id: 'a', user: 7, price: 3, at: base }])
    await finish(process)
    const [one, ...others] = await readEmitted(process.log, 'by_user')
    assert.deepEqual(others, [])
    assert.equal(one!.key, '{"user":7}')
    assert.equal(one!.record.timestampMs, base)
    assert.equal(
      Buffer.from(one!.record.value!).toString(),
      '{"view":"by_user","keys":{"user":7},"as_of":"2024-05-31T23:00:00.001Z","event_time":"2024-05-31T23:00:00.000Z",' +
        '"window_end":"2024-05-31T23:00:00.001Z","features":{"clicks_30s":1,"price":3},' +
        `"plan":"${process.plan.hash.slice(0, 12)}","source":{"topic":"raw","partition":0,"offset":1}}`,
    )
    const headers = one!.record.headers.map(([name, value]) => [name, Buffer.from(value).toString()])
    assert.deepEqual(headers, [
      ['millrace.stream', 'clicks'],
      ['millrace.topic', 'raw'],
      ['millrace.partition', '0'],
      ['millrace.offset', '1'],
    ])
  })

  test('per interval is the same, with the number of events behind it', async () => {
    const clicks = await Clicks.open(makeDisk())
    await clicks.send([{ id: 'x', user: 7, price: 3, at: base + 30 * second }, click(10 * minute, 8)])
    const [one] = await readEmitted(clicks.process.log, 'by_user')
    assert.equal(one!.record.timestampMs, base + minute)
    assert.equal(
      Buffer.from(one!.record.value!).toString(),
      '{"view":"by_user","keys":{"user":7},"as_of":"2024-05-31T23:01:00.000Z","event_time":"2024-05-31T23:00:30.000Z",' +
        '"window_end":"2024-05-31T23:01:00.000Z","features":{"clicks_30s":1,"price":3},' +
        `"plan":"${clicks.process.plan.hash.slice(0, 12)}","events":1}`,
    )
  })

  test('has keys of every kind as a request gives them, and all of a key in one partition', async () => {
    const keys = { a: string(), b: int(), c: timestamp('ms') }
    const wide = stream('wide', { topic: 'raw', fields: { ...keys, at: timestamp('ms') }, time: 'at', lateness: '1s' })
    const by = entity('all', keys)
    const view = featureView('by_all', {
      from: wide,
      by,
      emit: 'event',
      features: (on) => ({ n: on.count({ over: '1d' }) }),
    })
    const process = await startProcess(makeDisk(), { views: [view], partitions: 4 })
    for (const partition of [0, 1, 2, 3]) {
      await append(process, { topic: 'raw', partition }, [{ a: 'ü"', b: -7, c: 1_500, at: base + partition }])
    }
    await finish(process)
    const all = await readEmitted(process.log, 'by_all')
    assert.equal(all.length, 4)
    assert.equal(all[0]!.key, '{"a":"ü\\"","b":-7,"c":"1970-01-01T00:00:01.500Z"}')
    assert.equal(new Set(all.map(({ partition }) => partition)).size, 1)
  })

  test('leaves out what is too large, and says so', async () => {
    const fields = { id: string(), user: int(), text: string(), at: timestamp('ms') }
    const large = stream('large', { topic: 'raw', fields, time: 'at', lateness: '1s' })
    const view = featureView('by_user', {
      from: large,
      by: user,
      emit: 'event',
      features: (on) => ({
        n: on.count({ over: '1d' }),
        last: on.lastK('text', { over: '1d', k: 3 }),
        first: on.first('text', { over: '1d' }),
      }),
    })
    const process = await startProcess(makeDisk(), { views: [view], partitions: 1 })
    const text = (size: number): object => ({ id: 'a', user: 1, text: '\u0001é'.repeat(size), at: base })
    await append(process, { topic: 'raw', partition: 0 }, [text(30_000)])
    await append(process, { topic: 'raw', partition: 0 }, [text(60_000)])
    await append(process, { topic: 'raw', partition: 0 }, [text(110_000)])
    await finish(process)
    assert.equal(process.engine.fault, null)
    const all = await readEmitted(process.log, 'by_user')
    assert.deepEqual(
      all.map(({ event }) => [event.features['n'], event.features['last'] === null, event.status]),
      [
        [1, false, undefined],
        [2, true, { last: 'TOO_LARGE' }],
        [3, true, { last: 'TOO_LARGE' }],
      ],
    )
  })
})
