import type { Log } from '../src/log/log.ts'
import { results } from './kafka-place.ts'
import { windows } from './workloads/card-windows.ts'

/** Entity and key, such as `customers 12`, → the values right after its newest event, in the order of `features`. */
export type Values = ReadonlyMap<string, readonly unknown[]>

type Entity = 'customers' | 'terminals'

const features = windows.flatMap((over) => [`count_${over}`, `sum_${over}`, `mean_${over}`])
const keyOf: Readonly<Record<Entity, string>> = { customers: 'customerId', terminals: 'terminalId' }
const entities: readonly Entity[] = ['customers', 'terminals']

/** Every 499th customer and every 49th terminal. */
const sample: Readonly<Record<Entity, readonly number[]>> = {
  customers: Array.from({ length: 200 }, (_, index) => index * 499),
  terminals: Array.from({ length: 200 }, (_, index) => index * 49),
}

/** What millrace serves over HTTP: of several processes, one has a key. */
export async function servedValues(ports: readonly number[]): Promise<Values> {
  const values = new Map<string, unknown[]>()
  for (const entity of entities) {
    for (const id of sample[entity]) {
      const body = { service: entity, entities: [{ [keyOf[entity]]: id }], asOf: 'latest' }
      const answer = await Promise.any(ports.map((port) => readVectors(port, body)))
      const order = features.map((name) => answer.features.indexOf(name))
      values.set(
        `${entity} ${id}`,
        order.map((index) => answer.rows[0]!.values[index]),
      )
    }
  }
  return values
}

/** The last that a peer wrote of each key to its topics. */
export async function publishedValues(log: Log): Promise<Values> {
  const values = new Map<string, unknown[]>()
  for (const entity of entities) {
    const wanted = new Set(sample[entity].map(String))
    const topic = results[entity]
    const { partitions } = log.topics().find((one) => one.topic === topic)!
    for (let partition = 0; partition < partitions; partition++) {
      for (let offset = 0; offset < log.end(topic, partition); ) {
        const { records, next } = await log.read(topic, partition, offset, 1024 * 1024)
        for (const { key, value } of records) {
          const name = text(key)
          if (!wanted.has(name)) continue
          const result = JSON.parse(text(value)) as Record<string, unknown>
          values.set(
            `${entity} ${name}`,
            features.map((feature) => result[feature]),
          )
        }
        offset = next
      }
    }
  }
  return values
}

/** Keys of which both have values, and those of them whose values are not the same to the last bit. */
export function compareValues(ours: Values, theirs: Values): { readonly keys: number; readonly different: string[] } {
  const shared = [...theirs].filter(([key]) => ours.has(key))
  const different = shared.filter(([key, list]) =>
    list.some((value, index) => !Object.is(value, ours.get(key)![index])),
  )
  return {
    keys: shared.length,
    different: different.map(([key, list]) => `${key}: ${JSON.stringify(ours.get(key))} and ${JSON.stringify(list)}`),
  }
}

type Answer = { readonly features: readonly string[]; readonly rows: readonly { readonly values: unknown[] }[] }

export async function readVectors(port: number, body: object): Promise<Answer> {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const answer = await fetch(`http://127.0.0.1:${port}/v1/features`, request)
  if (!answer.ok) throw new Error(await answer.text())
  return (await answer.json()) as Answer
}

function text(bytes: Uint8Array | null): string {
  return Buffer.from(bytes ?? []).toString('utf8')
}
