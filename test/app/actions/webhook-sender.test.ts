// Goal: a receiver that fails, hangs, is busy or refuses gets each delivery as often as it should, signed, and no faster.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { type Delivered, WebhookSender } from '../../../src/app/actions/webhook-sender.ts'
import { type Clock, systemClock } from '../../../src/base/clock.ts'
import type { WebhookPlan } from '../../../src/plan/plan.ts'
import { receive, secret } from './acting.ts'

/** Pauses take no time, and are written down; a time-out of an attempt, which is a whole number, is kept. */
function makeClock(): { clock: Clock; pauses: number[] } {
  const pauses: number[] = []
  let skippedMs = 0
  const clock: Clock = {
    now: () => systemClock.now() + skippedMs,
    elapsed: () => systemClock.elapsed() + skippedMs,
    turn: () => systemClock.turn(),
    sleep: async (ms, signal) => {
      if (ms === timeoutMs) return await systemClock.sleep(ms, signal)
      if (ms >= 100) pauses.push(ms)
      skippedMs += ms
      await systemClock.turn()
    },
  }
  return { clock, pauses }
}

const timeoutMs = 5_000
const never = new AbortController().signal

function sender(url: string, options: Partial<WebhookPlan> = {}) {
  const { clock, pauses } = makeClock()
  let retried = 0
  const plan: WebhookPlan = {
    type: 'webhook',
    url,
    secretFrom: 'x',
    perSecond: 10_000,
    atOnce: 4,
    attempts: 4,
    timeoutMs,
    withinMs: 3_600_000,
    ...options,
  }
  const made = new WebhookSender({ plan, secret, clock, random: () => 0.5, retried: () => (retried += 1) })
  return {
    clock,
    pauses,
    retried: () => retried,
    deliver: (id: string, predictedMs = clock.now(), signal = never): Promise<Delivered | null> =>
      made.deliver({ id, body: Buffer.from(`{"id":"${id}"}`), predictedMs }, signal),
    close: () => made.close(),
  }
}

test('a delivery is signed over its seconds and its bytes, and named the same in every attempt', async () => {
  const receiver = await receive((response, _, count) => response.writeHead(count === 0 ? 500 : 204).end())
  const made = sender(receiver.url)
  try {
    assert.deepEqual(await made.deliver('d1'), { outcome: 'delivered', status: 204, attempts: 2 })
    assert.equal(receiver.received.length, 2)
    for (const [index, { headers, body }] of receiver.received.entries()) {
      assert.equal(body, '{"id":"d1"}')
      assert.deepEqual(
        [headers['millrace-delivery'], headers['millrace-attempt'], headers['content-type']],
        ['d1', String(index + 1), 'application/json'],
      )
      const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['millrace-signature']))!
      assert.equal(signature, createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'))
      assert.ok(Math.abs(Number(seconds) * 1_000 - made.clock.now()) < 60_000)
    }
    assert.equal(made.retried(), 1)
  } finally {
    made.close()
    await receiver.close()
  }
})

test('what fails is sent again after longer and longer pauses, until its attempts are used up', async () => {
  const receiver = await receive((response) => response.writeHead(503).end('busy'))
  const made = sender(receiver.url)
  try {
    assert.deepEqual(await made.deliver('d1'), {
      outcome: 'dead',
      reason: 'WEBHOOK_FAILED',
      detail: '4 attempts, at last status 503',
      attempts: 4,
    })
    assert.deepEqual(made.pauses, [375, 750, 1_500])
    assert.equal(receiver.received.length, 4)
  } finally {
    made.close()
    await receiver.close()
  }
})

test('a refusal is final, a redirect is not followed, and neither is sent again', async () => {
  const target = await receive((response) => response.writeHead(200).end())
  for (const status of [400, 401, 404, 410, 422, 301, 302, 307]) {
    const receiver = await receive((response) => response.writeHead(status, { location: target.url }).end())
    const made = sender(receiver.url)
    try {
      const detail = `status ${status}`
      assert.deepEqual(await made.deliver('d1'), { outcome: 'dead', reason: 'WEBHOOK_REFUSED', detail, attempts: 1 })
      assert.equal(receiver.received.length, 1)
    } finally {
      made.close()
      await receiver.close()
    }
  }
  assert.equal(target.received.length, 0)
  await target.close()
})

test('a receiver that asks for time gets it, for all that it is sent', async () => {
  const receiver = await receive((response, _, count) => {
    if (count === 0) response.writeHead(429, { 'retry-after': '7' }).end()
    else response.writeHead(200).end()
  })
  const made = sender(receiver.url)
  try {
    const began = made.clock.elapsed()
    assert.deepEqual(await made.deliver('d1'), { outcome: 'delivered', status: 200, attempts: 2 })
    assert.ok(made.clock.elapsed() - began >= 7_000)
  } finally {
    made.close()
    await receiver.close()
  }
  const dated = await receive((response, _, count) => {
    const at = new Date(made.clock.now() + 60_000).toUTCString()
    if (count === 0) response.writeHead(503, { 'retry-after': at }).end()
    else response.writeHead(200).end()
  })
  const other = sender(dated.url)
  try {
    const began = other.clock.elapsed()
    await other.deliver('d1')
    assert.ok(other.clock.elapsed() - began >= 50_000)
    await other.deliver('d2')
    assert.equal(dated.received.length, 3)
  } finally {
    other.close()
    await dated.close()
  }
})

test('an attempt ends when nothing comes, when the receiver closes, and when nobody listens', async () => {
  const hanging = await receive(() => undefined)
  const slow = sender(hanging.url, { timeoutMs: 50, attempts: 2 })
  const closing = await receive((response) => response.destroy())
  const closed = sender(closing.url, { attempts: 2 })
  const nobody = createServer()
  await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve))
  const { port } = nobody.address() as AddressInfo
  await new Promise((resolve) => nobody.close(resolve))
  const alone = sender(`http://127.0.0.1:${port}/`, { attempts: 2 })
  try {
    const details = [await slow.deliver('a'), await closed.deliver('b'), await alone.deliver('c')].map((one) =>
      one?.outcome === 'dead' ? `${one.reason} ${one.attempts}: ${one.detail}` : 'it was delivered',
    )
    assert.equal(details[0], 'WEBHOOK_FAILED 2: 2 attempts, at last no answer within 50 ms')
    assert.match(details[1]!, /^WEBHOOK_FAILED 2: 2 attempts, at last /)
    assert.match(details[2]!, /^WEBHOOK_FAILED 2: 2 attempts, at last connect ECONNREFUSED/)
  } finally {
    for (const one of [slow, closed, alone]) one.close()
    await Promise.all([hanging.close(), closing.close()])
  }
})

test('a prediction that is too old is not sent, and not sent again', async () => {
  const receiver = await receive((response) => response.writeHead(500).end())
  const made = sender(receiver.url, { withinMs: 60_000, attempts: 100 })
  try {
    const old = await made.deliver('d1', made.clock.now() - 60_001)
    assert.deepEqual([old?.outcome, receiver.received.length, old?.attempts], ['dead', 0, 0])
    const tried = await made.deliver('d2')
    assert.equal(tried?.outcome === 'dead' ? tried.reason : null, 'WEBHOOK_LATE')
    // The pauses add up to a minute before the eighth.
    assert.ok(receiver.received.length >= 3 && receiver.received.length <= 8)
  } finally {
    made.close()
    await receiver.close()
  }
})

test('no more begin in a second, nor are under way at once, than were declared', async () => {
  let [underWay, most] = [0, 0]
  const receiver = await receive((response) => {
    underWay += 1
    most = Math.max(most, underWay)
    setImmediate(() => {
      underWay -= 1
      response.writeHead(200).end()
    })
  })
  const made = sender(receiver.url, { perSecond: 50, atOnce: 3 })
  try {
    const began = made.clock.elapsed()
    const all = await Promise.all(Array.from({ length: 40 }, (_, index) => made.deliver(`d${index}`)))
    assert.ok(all.every((one) => one?.outcome === 'delivered'))
    assert.ok(made.clock.elapsed() - began >= 39 * 20)
    assert.ok(most <= 3, `${most} at once`)
  } finally {
    made.close()
    await receiver.close()
  }
})

test('who is told to halt begins no attempt, and waits for the one that is under way', async () => {
  const halt = new AbortController()
  const receiver = await receive((response) => {
    halt.abort()
    setImmediate(() => response.writeHead(200).end())
  })
  const made = sender(receiver.url, { atOnce: 1 })
  try {
    const all = await Promise.all([
      made.deliver('d1', made.clock.now(), halt.signal),
      made.deliver('d2', made.clock.now(), halt.signal),
    ])
    assert.deepEqual(all, [{ outcome: 'delivered', status: 200, attempts: 1 }, null])
    assert.equal(receiver.received.length, 1)
  } finally {
    made.close()
    await receiver.close()
  }
})

test('an answer without end, or of any length, is an answer, and takes no memory', async () => {
  const receiver = await receive((response) => {
    response.writeHead(200)
    const write = (): void => {
      if (response.destroyed) return
      response.write(Buffer.alloc(256 * 1024))
      setImmediate(write)
    }
    write()
  })
  const made = sender(receiver.url, { attempts: 1 })
  try {
    assert.deepEqual(await made.deliver('d1'), { outcome: 'delivered', status: 200, attempts: 1 })
  } finally {
    made.close()
    await receiver.close()
  }
})
