import type { Checkpoint } from '../../src/stream/checkpoint.ts'
import type { Base, Prefix } from './oracle.ts'
import { violation } from './violation.ts'
import type { Running } from './world.ts'

/** What must hold of a running process at every step: all of it follows from its own words. */
export class ProcessWatch {
  readonly #running: Running
  readonly base: Base
  #before: Running['counts']

  /** @param checkpoint what the store held when the process opened. */
  constructor(running: Running, checkpoint: Checkpoint | null) {
    this.#running = running
    this.#before = running.counts
    this.base = baseOf(this.#before)
    this.#checkRestored(checkpoint)
  }

  /** To be called after every step. */
  check(): void {
    const { counts } = this.#running
    const accepted = new Map<string, number>()
    counts.sources.forEach((source, index) => {
      const { stream, partition, next, watermark, records } = source
      const before = this.#before.sources[index]!
      const where = `${stream}/${partition}`
      const sum = source.accepted + source.duplicate + source.late + source.refused
      if (records !== sum)
        violation('records = accepted + duplicate + late + refused', `${where}: ${JSON.stringify(source)}`)
      if (next - records !== this.base[stream]![partition]) violation('every record is counted once', where)
      if (next < before.next) violation('a prefix never goes back', `${where}: ${next} after ${before.next}`)
      if (watermark < before.watermark) violation('a watermark never goes back', where)
      accepted.set(stream, (accepted.get(stream) ?? 0) + source.accepted)
    })
    for (const { name, stream } of this.#running.plan.views) {
      const { applied, filtered, unkeyed } = counts.views[name]!
      if (applied + filtered + unkeyed !== accepted.get(stream)) {
        violation('accepted = applied + filtered + unkeyed', `${name}: ${JSON.stringify(counts)}`)
      }
    }
    this.#before = counts
  }

  get prefix(): Prefix {
    return prefixOf(this.#before)
  }

  /** Recovery starts from the checkpoint and nowhere else. */
  #checkRestored(checkpoint: Checkpoint | null): void {
    if (checkpoint === null) return
    for (const { stream, partition, next, counts } of checkpoint.sources) {
      const found = this.#before.sources.find((one) => one.stream === stream && one.partition === partition)
      if (found?.next !== next || found.records !== counts.records) {
        violation('recovery starts from the checkpoint', `${stream}/${partition}: ${found?.next}, not ${next}`)
      }
    }
  }
}

function baseOf(counts: Running['counts']): Base {
  const base: { [stream: string]: number[] } = {}
  for (const { stream, partition, next, records } of counts.sources) (base[stream] ??= [])[partition] = next - records
  return base
}

export function prefixOf(counts: Running['counts']): Prefix {
  const prefix: { [stream: string]: number[] } = {}
  for (const { stream, partition, next } of counts.sources) (prefix[stream] ??= [])[partition] = next
  return prefix
}

/** What a checkpoint claims must be there: sources and outputs up to where the log is durable. */
export function checkCheckpoint(checkpoint: Checkpoint, running: Running, before: Checkpoint | null): void {
  const { log } = running
  for (const { stream, partition, next, watermark } of checkpoint.sources) {
    const { topic } = running.plan.streams.find(({ name }) => name === stream)!
    const end = log.end(topic, partition)
    const where = `${stream}/${partition}`
    if (next > end) violation('a checkpoint is within the durable log', `${where}: ${next} of ${end}`)
    const earlier = before?.sources.find((one) => one.stream === stream && one.partition === partition)
    if (earlier === undefined) continue
    if (next < earlier.next) violation('a checkpoint never goes back', `${where}: ${next} after ${earlier.next}`)
    if (watermark < earlier.watermark) violation('a watermark never goes back', where)
  }
  for (const [topic, ends] of Object.entries(checkpoint.outputs)) {
    ends.forEach((end, partition) => {
      if (end > log.end(topic, partition)) violation('a checkpoint is within the durable log', `${topic}/${partition}`)
    })
  }
  if (before !== null && checkpoint.number !== before.number + 1) {
    violation('checkpoints are numbered in order', `${checkpoint.number} after ${before.number}`)
  }
}
