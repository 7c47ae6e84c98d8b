import type { Checkpoint } from '../../src/stream/checkpoint.ts'
import type { Base, Prefix } from './oracle.ts'
import { violation } from './violation.ts'
import { progressIn, type Running } from './world.ts'

/** What must hold of a running process at every step: all of it follows from its own words. */
export class ProcessWatch {
  readonly #running: Running
  #base: Base
  #plan: Running['plan']
  #before: Running['counts']

  /** @param checkpoint what the store held when the process opened. */
  constructor(running: Running, checkpoint: Checkpoint | null) {
    this.#running = running
    this.#plan = running.plan
    this.#before = running.counts
    this.#base = baseOf(this.#before)
    this.#checkRestored(checkpoint)
  }

  /** Where what is counted began, for the streams that are served. */
  get base(): Base {
    return this.#base
  }

  /** To be called after every step. `checkpoint`: what the store holds now. */
  check(checkpoint: Checkpoint | null): void {
    const { counts, plan, halted } = this.#running
    const changed = plan !== this.#plan
    if (changed) this.#base = baseOf(counts)
    const accepted = new Map<string, number>()
    for (const source of counts.sources) {
      const { stream, partition, next, watermark, records } = source
      const where = `${stream}/${partition}`
      const sum = source.accepted + source.duplicate + source.late + source.refused
      if (records !== sum)
        violation('records = accepted + duplicate + late + refused', `${where} ${JSON.stringify(source)}`)
      accepted.set(stream, (accepted.get(stream) ?? 0) + source.accepted)
      if (next - records !== this.#base[stream]![partition]) violation('every record is counted once', where)
      const before = changed ? undefined : this.#before.sources.find((one) => isSame(one, source))
      if (before === undefined || (next >= before.next && watermark >= before.watermark)) continue
      // A partition that stops may take everything back to the last checkpoint, and no further.
      const restored = progressIn(checkpoint, plan, source)?.next ?? this.#base[stream]![partition]!
      if (halted.length > 0 && next >= restored) continue
      violation('a prefix never goes back', `${where}: ${next} after ${before.next}, checkpoint ${restored}`)
    }
    for (const { name, stream } of plan.views) {
      const { applied, filtered, unkeyed, forgotten, before } = counts.views[name]!
      if (applied + filtered + unkeyed + forgotten + before !== accepted.get(stream)) {
        const detail = `${name} of ${accepted.get(stream)}: ${JSON.stringify(counts.views[name])}`
        violation('accepted = applied + filtered + unkeyed + forgotten + before', detail)
      }
    }
    this.#plan = plan
    this.#before = counts
  }

  /** Recovery starts from the checkpoint and nowhere else. */
  #checkRestored(checkpoint: Checkpoint | null): void {
    for (const source of this.#before.sources) {
      const progress = progressIn(checkpoint, this.#plan, source)
      if (progress === null) continue
      if (progress.next !== source.next || progress.counts.records !== source.records) {
        const detail = `${source.stream}/${source.partition}: ${source.next}, not ${progress.next}`
        violation('recovery starts from the checkpoint', detail)
      }
    }
  }
}

type Source = { readonly stream: string; readonly partition: number }

const isSame = (one: Source, other: Source): boolean => one.stream === other.stream && one.partition === other.partition

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
  for (const { track, sources } of checkpoint.tracks) {
    const earlier = before?.tracks.find((one) => one.track === track)
    for (const { topic, partition, next, watermark } of sources) {
      const end = log.end(topic, partition)
      const where = `track ${track} of ${topic}/${partition}`
      if (next > end) violation('a checkpoint is within the durable log', `${where}: ${next} of ${end}`)
      const was = earlier?.sources.find((one) => one.topic === topic && one.partition === partition)
      if (was === undefined) continue
      if (next < was.next) violation('a checkpoint never goes back', `${where}: ${next} after ${was.next}`)
      if (watermark < was.watermark) violation('a watermark never goes back', where)
    }
  }
  for (const [topic, ends] of Object.entries(checkpoint.outputs)) {
    ends.forEach((end, partition) => {
      if (end > log.end(topic, partition)) violation('a checkpoint is within the durable log', `${topic}/${partition}`)
    })
  }
  if (before !== null && checkpoint.number !== before.number + 1 && checkpoint.number !== before.number) {
    violation('checkpoints are numbered in order', `${checkpoint.number} after ${before.number}`)
  }
}
