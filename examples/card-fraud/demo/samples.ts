import type { Mill } from 'millrace'
import { fraudV1, payments } from '../features.ts'
import type { Delivery, Payment } from '../simulator.ts'
import type { Batch, Feed } from './feed.ts'

/** Names of the compared values, in the order of a vector. */
export const featureNames: readonly string[] = fraudV1.views.flatMap((view) => Object.keys(view.features))

/** A vector as it was served, and what it was served for. */
export type Sample = {
  /**
   * - `with event`: scored before the payment was sent, as if it had just been accepted;
   * - `as of`: one millisecond after a payment that is in the log;
   * - `now`: of a customer and a terminal that need never have met, as of the clock.
   */
  readonly kind: 'with event' | 'as of' | 'now'
  readonly customerId: number
  readonly terminalId: number
  readonly asOf: number
  readonly values: readonly unknown[]
}

/** Vectors of one moment: all of them follow from the same prefix of the log. */
export type SampleSet = {
  readonly samples: readonly Sample[]
  /** Stream → next offset per partition. */
  readonly prefix: Readonly<Record<string, readonly number[]>>
}

type Prefix = SampleSet['prefix']

const kindCountMax = 7
/** Short of the horizon of a read, 1 h: what is older than that before the newest event can no longer be read. */
const recentMs = 50 * 60_000

/**
 * Serves about twenty vectors at one prefix.
 *
 * 1. Score payments that are not sent yet. They share no key, so that none of them changes the vector of another.
 * 2. Send exactly these. The log then is what it was, and they: the prefix that every one of their vectors foretold.
 * 3. In one turn, so that nothing can come between: note the prefix, and read the other kinds.
 */
export async function takeSamples(mill: Mill, feed: Feed, untilMs: number): Promise<{ set: SampleSet; sent: Batch }> {
  const prepared = mill.reader.prepare({ service: fraudV1.name })
  const unsent = feed.takeUnrelated(untilMs, kindCountMax)
  const before = mill.reader.prefixOf(prepared)
  const foretold = unsent.map((delivery) => scoreUnsent(mill, delivery))
  const sent = await feed.send(unsent)
  const prefix = mill.reader.prefixOf(prepared)
  // Somebody else may send too, over HTTP: then the log is not what these vectors foretold, and they are no samples.
  const samples = isPrefixWith(before, sent, prefix) ? foretold : []
  for (const { payment } of unsent) samples.push(readAfter(mill, payment!))
  for (let index = 0; index < unsent.length; index++) {
    const [one, other] = [unsent[index]!.payment!, unsent[(index + 1) % unsent.length]!.payment!]
    samples.push(readNow(mill, one.customerId, other.terminalId))
  }
  return { set: { samples, prefix }, sent }
}

/** The newest payments of a batch that can still be read at their own instant. */
export function recentPayments({ deliveries }: Batch): Payment[] {
  const good = deliveries.flatMap(({ kind, payment }) => (kind === 'good' && payment !== null ? [payment] : []))
  const newestAt = good.reduce((newest, { at }) => Math.max(newest, at), 0)
  return good.filter(({ at }) => at > newestAt - recentMs)
}

/** The features of a payment that is in the log, itself included. */
export function readAfter(mill: Mill, { customerId, terminalId, at }: Payment): Sample {
  const vector = mill.read(fraudV1.name, keysOf(customerId, terminalId), { asOf: at + 1 })
  return { kind: 'as of', customerId, terminalId, asOf: vector.asOf, values: vector.values }
}

function scoreUnsent(mill: Mill, { raw, payment }: Delivery): Sample {
  const { customerId, terminalId } = payment!
  const options = { with: { stream: payments.name, event: raw } }
  const vector = mill.read(fraudV1.name, keysOf(customerId, terminalId), options)
  return { kind: 'with event', customerId, terminalId, asOf: vector.asOf, values: vector.values }
}

function readNow(mill: Mill, customerId: number, terminalId: number): Sample {
  const vector = mill.read(fraudV1.name, keysOf(customerId, terminalId))
  return { kind: 'now', customerId, terminalId, asOf: vector.asOf, values: vector.values }
}

function keysOf(customerId: number, terminalId: number): Readonly<Record<string, number>> {
  return { customer_id: customerId, terminal_id: terminalId }
}

/** Whether the records between two prefixes are those of the batch and no other. */
function isPrefixWith(before: Prefix, { places }: Batch, after: Prefix): boolean {
  const ends = [...before[payments.name]!]
  for (const { partition } of places) ends[partition]! += 1
  return ends.every((end, partition) => end === after[payments.name]![partition])
}
