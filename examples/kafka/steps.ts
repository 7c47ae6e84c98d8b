import { setTimeout as sleep } from 'node:timers/promises'
import type { Mill } from 'millrace'
import type { Console } from './console.ts'
import { shopping, shopperV1, user } from './definitions.ts'

export type Place = {
  readonly mill: Mill
  /** Of its HTTP server. */
  readonly address: string
  readonly tools: Console
  /** Whose events are sent; of its own where the topics are not. */
  readonly user: string
}

/** One thing to see. */
export type Step = {
  readonly name: string
  readonly says: string
  /** Shows it, and says whether it was there. */
  readonly see: (place: Place) => Promise<boolean>
}

const withinMs = 120_000
const brokenAmount = 'a lot'

/** In this order. */
export const steps: readonly Step[] = [
  {
    name: 'raw-events',
    says: 'kafka-console-producer sends two purchases in the common envelope, and a broken one',
    see: async ({ mill, tools, user }) => {
      const events = [event(user, 1, 12.5), event(user, 2, 30), event(user, 3, brokenAmount)]
      await tools.produce(
        'raw-events',
        events.map((one) => `${user}\t${one}`),
      )
      const found = await Promise.all(events.map((one) => findRecord(mill, 'raw-events', (value) => value === one)))
      for (const value of found) line('millrace', value, '"payload"')
      return found.every((value) => value !== null)
    },
  },
  topicStep({
    topic: `processed-events.${user.name}`,
    says: 'the accepted events, keyed by the user, and where each came from',
    from: '"payload"',
    isIt: (value, place) => value.includes(`"${place.user}-2"`),
  }),
  topicStep({
    topic: `feature-events.${shopping.name}`,
    says: 'the values of the user after each event',
    from: '"features"',
    isIt: (value, { user }) => {
      const { keys, features } = JSON.parse(value) as { keys: { user_id: string }; features: { events_1h: number } }
      return keys.user_id === user && features.events_1h === 2
    },
  }),
  topicStep({
    topic: 'dead-letter-queue',
    says: 'the broken event, byte for byte; the reason and where it came from are in the headers',
    from: '"payload"',
    isIt: (value, { user }) => value.includes(`"${user}"`) && value.includes(brokenAmount),
  }),
  {
    name: 'the vector over HTTP',
    says: `POST /v1/features {"service":"${shopperV1.name}",…}`,
    see: async ({ mill, address, user }) => {
      await mill.caughtUp()
      const body = JSON.stringify({ service: shopperV1.name, entities: [{ user_id: user }] })
      const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
      const answer = await (await fetch(`${address}/v1/features`, request)).text()
      line('HTTP', answer, '"features"')
      const { rows } = JSON.parse(answer) as { rows: { values: unknown[] }[] }
      return JSON.stringify(rows[0]?.values) === '[2,42.5,30]'
    },
  },
  {
    name: 'feature-requests',
    says: 'kafka-console-producer asks for the same vector',
    see: async ({ mill, tools, user }) => {
      const request = JSON.stringify({ request_id: `r-${user}`, service: shopperV1.name, keys: { user_id: user } })
      await tools.produce('feature-requests', [`${user}\t${request}`])
      const found = await findRecord(mill, 'feature-requests', (value) => value === request)
      line('millrace', found)
      return found !== null
    },
  },
  topicStep({
    topic: 'computed-features',
    says: 'the answer',
    from: '"features"',
    isIt: (value, { user }) => {
      const { request_id: id, features } = JSON.parse(value) as { request_id: string; features?: { spent_1h: number } }
      return id === `r-${user}` && features?.spent_1h === 42.5
    },
  }),
]

type TopicStep = {
  readonly topic: string
  readonly says: string
  /** What is shown of the value begins here. */
  readonly from: string
  readonly isIt: (value: string, place: Place) => boolean
}

/** A record that Kafka's console consumer and millrace both find, and find the same. */
function topicStep({ topic, says, from, isIt }: TopicStep): Step {
  return {
    name: topic,
    says,
    see: async (place) => {
      const [theirs, ours] = await Promise.all([
        place.tools.consume(topic, (value) => isIt(value, place), withinMs),
        findRecord(place.mill, topic, (value) => isIt(value, place)),
      ])
      line('kafka-console-consumer', theirs?.value ?? null, from)
      line('  its headers', theirs?.headers ?? null, 'millrace.')
      line('millrace', ours, from)
      return ours !== null && theirs?.value === ours
    },
  }
}

/** The value of the first record that is the one looked for; null when there is none in time. */
async function findRecord({ log }: Mill, topic: string, isIt: (value: string) => boolean): Promise<string | null> {
  const partitions = log.topics().find((one) => one.topic === topic)?.partitions ?? 0
  if (partitions === 0) return null
  const next = Array.from({ length: partitions }, (_, partition) => log.start(topic, partition))
  for (const until = performance.now() + withinMs; performance.now() < until; await sleep(50)) {
    await log.refresh(topic)
    for (const [partition, offset] of next.entries()) {
      if (offset >= log.end(topic, partition)) continue
      const read = await log.read(topic, partition, offset, 1024 * 1024)
      for (const { value } of read.records) {
        const text = Buffer.from(value ?? []).toString('utf8')
        if (isIt(text)) return text
      }
      next[partition] = read.next
    }
  }
  return null
}

function event(user: string, number: number, amount: number | string): string {
  const timestamp = new Date(Date.now() - 1_000 + number).toISOString()
  return JSON.stringify({
    metadata: { event_id: `${user}-${number}`, timestamp, source: 'demo', version: '1' },
    payload: { user_id: user, session_id: 's-1', event_type: 'purchase', properties: { amount } },
    context: {},
  })
}

const width = 110

/** As much of it as fits on a line, from a part of it on. */
function line(who: string, text: string | null, from = ''): void {
  const start = Math.max(0, text?.indexOf(from) ?? 0)
  const part = text === null ? 'nothing' : text.slice(start, start + width)
  const more = text !== null && text.length > start + width
  console.log(`  ${who.padEnd(22)}  ${start > 0 ? '…' : ''}${part}${more ? '…' : ''}`)
}
