// Goal: webhooks get each prediction that meets the rule, over failures, stops, and a process that is killed.
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import type { Mill } from '../../../src/index.ts'
import { coordinatesIn, headerText, outputHeaders } from '../../../src/stream/output-headers.ts'
import {
  idsIn,
  makeFolder,
  open,
  payment,
  payments,
  type Received,
  receive,
  recordsOf,
  secret,
  secretName,
  settled,
  toTopic,
  toWebhook,
  valuesOf,
} from './acting.ts'

before(() => {
  process.env[secretName] = secret
})
after(() => {
  delete process.env[secretName]
})

/** What waits for ever has failed. */
const limit = { timeout: 120_000 }

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await makeFolder()
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function using(mill: Promise<Mill>, use: (mill: Mill) => Promise<void>): Promise<void> {
  const open = await mill
  try {
    await use(open)
  } finally {
    await open.close()
  }
}

function bodies(received: readonly Received[]): Record<string, unknown>[] {
  return received.map(({ body }) => JSON.parse(body) as Record<string, unknown>)
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `p${index}`).toSorted()

test(
  'what a receiver refuses, or fails at too often, is a dead letter with the reason; the rest is delivered once',
  limit,
  async () => {
    await withFolder(async (folder) => {
      const receiver = await receive((response, { body }, count) => {
        const { request_id } = (JSON.parse(body) as { prediction: { request_id: string } }).prediction
        const status = request_id === 'p1' ? 422 : request_id === 'p2' ? 500 : count % 7 === 0 ? 502 : 200
        response.writeHead(status).end()
      })
      try {
        await using(open(folder, [toWebhook(receiver.url, { attempts: 2 })]), async (mill) => {
          await mill.send(payments, [payment(0, 0.1), payment(1, 1), payment(2, 1), payment(3, 1), payment(4, 2)])
          await settled(mill)
          const deliveries = await valuesOf(mill, 'action-deliveries')
          assert.equal(deliveries.length, 4)
          const byRequest = new Map(deliveries.map((one) => [one['request_id'], one]))
          assert.deepEqual(
            [byRequest.get('p1')!['outcome'], byRequest.get('p1')!['reason']],
            ['dead', 'WEBHOOK_REFUSED'],
          )
          assert.deepEqual(
            [byRequest.get('p2')!['outcome'], byRequest.get('p2')!['reason']],
            ['dead', 'WEBHOOK_FAILED'],
          )
          for (const id of ['p3', 'p4']) assert.equal(byRequest.get(id)!['outcome'], 'delivered')
          const letters = await recordsOf(mill, 'dead-letter-queue')
          assert.deepEqual(letters.map((one) => headerText(one, outputHeaders.reason)).toSorted(), [
            'WEBHOOK_FAILED',
            'WEBHOOK_REFUSED',
          ])
          assert.ok(letters.every((one) => coordinatesIn(one).stream === 'action:call'))
          const ids = new Map(bodies(receiver.received).map((one) => [one['id'], one]))
          assert.equal(ids.size, 4)
          const { counts } = mill.actions!.states[0]!
          assert.deepEqual([counts.met, counts.delivered, counts.dead], [4, 2, 2])
          assert.ok(counts.retried >= 1)
          for (const topic of ['action-deliveries', 'action-changes', 'dead-letter-queue', 'plan-registry']) {
            for (const record of await recordsOf(mill, topic)) {
              assert.ok(
                !JSON.stringify(record.headers.map(([, value]) => Buffer.from(value).toString())).includes(secret),
              )
              assert.ok(!Buffer.from(record.value!).toString().includes(secret), `${topic} holds the secret`)
            }
          }
        })
      } finally {
        await receiver.close()
      }
    })
  },
)

test(
  'while it is stopped nothing begins, in any process, and predictions wait; then it goes on, or passes over them',
  limit,
  async () => {
    await withFolder(async (folder) => {
      const receiver = await receive((response) => response.writeHead(200).end())
      const actions = [toTopic, toWebhook(receiver.url)]
      try {
        await using(open(folder, actions), async (mill) => {
          await mill.send(payments, payment(0, 1))
          await settled(mill)
          for (const name of ['call', 'block']) await mill.actions!.stop(name, 'too many')
          await mill.send(payments, [payment(1, 1), payment(2, 1)])
          await mill.caughtUp()
          await mill.engine.checkpoint()
        })
        await using(open(folder, actions), async (mill) => {
          for (const state of mill.actions!.states) assert.equal(state.stopped?.note, 'too many')
          await mill.send(payments, payment(3, 1))
          await mill.caughtUp()
          await mill.engine.checkpoint()
          // Long enough for both to have read what waits, were they not stopped: they show that they have it in hand.
          while (mill.actions!.states.some(({ oldestSeconds }) => oldestSeconds === 0)) await turn()
          assert.deepEqual(idsIn(bodies(receiver.received)), ['p0'])
          assert.deepEqual(idsIn(await valuesOf(mill, 'blocked')), ['p0'])
          assert.ok(mill.actions!.states.every(({ waiting }) => waiting === 3))
          await mill.actions!.resume('call')
          await mill.actions!.resume('block', { skip: true })
          await mill.send(payments, payment(4, 1))
          await settled(mill)
          assert.deepEqual(idsIn(bodies(receiver.received)), names(5))
          assert.deepEqual(idsIn(await valuesOf(mill, 'blocked')), ['p0', 'p4'])
          await assert.rejects(mill.actions!.stop('nothing'), { code: 'NAME_UNDECLARED' })
        })
      } finally {
        await receiver.close()
      }
    })
  },
)

test('what is stopped in the middle is neither lost nor sent again', limit, async () => {
  await withFolder(async (folder) => {
    const arrived = Promise.withResolvers<void>()
    let mayAnswer = Promise.withResolvers<void>()
    const receiver = await receive((response, _, count) => {
      if (count === 2) arrived.resolve()
      void (count < 2 ? Promise.resolve() : mayAnswer.promise).then(() => response.writeHead(200).end())
    })
    try {
      await using(open(folder, [toWebhook(receiver.url, { atOnce: 1 })], { partitions: 1 }), async (mill) => {
        await mill.send(
          payments,
          Array.from({ length: 12 }, (_, index) => payment(index, 1)),
        )
        await arrived.promise
        await mill.actions!.stop('call')
        mayAnswer.resolve()
        while ((await valuesOf(mill, 'action-deliveries')).length < 3) await turn()
        assert.equal(receiver.received.length, 3)
        mayAnswer = Promise.withResolvers()
        mayAnswer.resolve()
        await mill.actions!.resume('call')
        await settled(mill)
        assert.deepEqual(idsIn(bodies(receiver.received)), names(12))
        assert.equal((await valuesOf(mill, 'action-deliveries')).length, 12)
      })
    } finally {
      await receiver.close()
    }
  })
})

test('without its secret an action does nothing, says so, and loses nothing', limit, async () => {
  await withFolder(async (folder) => {
    const receiver = await receive((response) => response.writeHead(200).end())
    try {
      delete process.env[secretName]
      await using(open(folder, [toWebhook(receiver.url)]), async (mill) => {
        await mill.send(payments, payment(0, 1))
        await mill.caughtUp()
        await mill.engine.checkpoint()
        await mill.actions!.caughtUp()
        assert.match(mill.actions!.faults.join(), /action call: .*MILLRACE_TEST_SECRET/)
      })
      process.env[secretName] = secret
      await using(open(folder, [toWebhook(receiver.url)]), async (mill) => {
        await settled(mill)
        assert.deepEqual(idsIn(bodies(receiver.received)), ['p0'])
      })
    } finally {
      process.env[secretName] = secret
      await receiver.close()
    }
  })
})

test(
  'a process that is killed again and again loses nothing; a topic has each once, a receiver knows doubles by their id',
  limit,
  async () => {
    await withFolder(async (folder) => {
      const receiver = await receive((response, _, count) => response.writeHead(count % 5 === 0 ? 503 : 200).end())
      const count = 40
      try {
        for (let life = 0; life < 3; life++) {
          const child = fork(new URL('acting-worker.ts', import.meta.url), [folder, receiver.url, String(life), '20'], {
            execArgv: ['--conditions=millrace-source'],
            env: { ...process.env, [secretName]: secret },
            stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
          })
          try {
            if (life < 2) {
              const already = receiver.received.length
              await message(child)
              // Somewhere in the middle of its deliveries.
              while (receiver.received.length < already + 6 && child.exitCode === null) await turn()
              child.kill('SIGKILL')
            } else await message(child)
          } finally {
            if (child.exitCode === null && child.signalCode === null) {
              if (life === 2) child.send('end')
              await once(child, 'exit')
            }
          }
        }
        await using(open(folder, [toTopic, toWebhook(receiver.url, { attempts: 10 })]), async (mill) => {
          await settled(mill)
          assert.deepEqual(idsIn(await valuesOf(mill, 'blocked')), names(count))
          const deliveries = await valuesOf(mill, 'action-deliveries')
          assert.deepEqual(deliveries.map((one) => String(one['request_id'])).toSorted(), names(count))
          assert.ok(deliveries.every((one) => one['outcome'] === 'delivered'))
          const byId = new Map(bodies(receiver.received).map((one) => [one['id'], one]))
          assert.deepEqual(idsIn([...byId.values()]), names(count))
        })
      } finally {
        await receiver.close()
      }
    })
  },
)

async function message(child: ChildProcess): Promise<void> {
  const [said] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => ['it ended']),
  ])) as string[]
  assert.equal(said, 'sent')
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}
