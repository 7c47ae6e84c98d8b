import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { RecordInput } from '../../log/log.ts'
import type { StoreChange } from '../../store/online/online-store.ts'
import { Restored, type StatePlace } from './restored.ts'
import { nameOfKey } from './state-reader.ts'
import {
  type Commit,
  commitDeletion,
  commitRecord,
  commitVersion,
  entryRecord,
  epochBytes,
  fenceRecord,
} from './state-record.ts'

export type ChangelogPlace = StatePlace & {
  readonly clock: Clock
  /** A name that nobody else ever has. */
  readonly makeId: () => string
  /** Names what the entries depend on. */
  readonly work: string
  /** Of one append, about: a checkpoint may take several. */
  readonly appendBytesMax: number
}

/** What a task says of itself when it is checkpointed. */
export type Cut = Pick<Commit, 'next' | 'outputs' | 'progress'>

/**
 * One owner's hold on a task: its checkpoints, in a partition of a state topic, and in a section of the local store.
 *
 * Taking it writes a fence, whose offset is the owner's epoch; from there on what earlier owners write counts nowhere.
 * A checkpoint is durable once its commit lies in the topic with no later fence before it; only then the section has
 * it. Offsets tell: where the records of this owner lie without a gap behind one another nobody else wrote anything,
 * and what lies in a gap is read. After any error the hold is lost, and has to be taken anew.
 */
export class Changelog {
  readonly #place: ChangelogPlace
  readonly #restored: Restored
  readonly #epoch: number
  readonly #epochBytes: Uint8Array
  #number = 0
  /** Why the state topic was of no use; null: it was, or held nothing. */
  readonly damage: MillraceError | null

  private constructor(place: ChangelogPlace, restored: Restored, of: { epoch: number; damage: MillraceError | null }) {
    this.#place = place
    this.#restored = restored
    this.#epoch = of.epoch
    this.#epochBytes = epochBytes(of.epoch)
    this.damage = of.damage
  }

  /** Takes hold, and restores the last checkpoint. Throws `STATE_WORK_DIFFERS`. */
  static async take(place: ChangelogPlace): Promise<Changelog> {
    const { log, topic, partition, clock, makeId } = place
    const epoch = await log.append(topic, partition, [fenceRecord(makeId(), clock.now())])
    const { restored, damage } = await restoreTo(place, epoch + 1)
    checkWork(place, restored.commit)
    const changelog = new Changelog(place, restored, { epoch, damage })
    changelog.#checkHold()
    return changelog
  }

  /** The last checkpoint: where the task goes on. */
  get commit(): Commit | null {
    return this.#restored.commit
  }

  /** Makes a checkpoint durable. Throws `TASK_FENCED` when there is another owner by now. */
  async write(changes: readonly StoreChange[], cut: Cut): Promise<void> {
    const { clock, work, appendBytesMax } = this.#place
    const own = lastOfEach(changes)
    const records = [...own, ...this.#repairs(own)].map((change) => entryRecord(change, this.#epochBytes, clock.now()))
    this.#number += 1
    const sum = this.#restored.after(own)
    const commit: Commit = { version: commitVersion, epoch: this.#epoch, number: this.#number, work, ...sum, ...cut }
    const last = [commitRecord(commit, clock.now())]
    // Not the one before: that is the last that counts, should this one not.
    if (this.#number > 2) last.push(commitDeletion(this.#epoch, this.#number - 2, clock.now()))
    const parts = inParts(records, appendBytesMax)
    // A commit goes with the last entries, once all others are there.
    parts.push([...(parts.pop() ?? []), ...last])
    for (const part of parts) {
      await this.#append(part)
    }
    await this.#restored.wrote({ commit, changes: own }, this.#restored.offset)
  }

  /**
   * Reads what others wrote meanwhile. Throws `TASK_FENCED`. True: some of it has to be put right, by the next
   * checkpoint.
   */
  async look(): Promise<boolean> {
    const { log, topic, partition } = this.#place
    await log.refresh(topic)
    await this.#readTo(log.end(topic, partition))
    return this.#restored.reader.touched.size > 0
  }

  async #append(records: readonly RecordInput[]): Promise<void> {
    const { log, topic, partition } = this.#place
    const base = await log.append(topic, partition, records)
    await this.#readTo(base)
    this.#restored.reader.written(records.map(({ key, value }) => [key!, value]))
    this.#restored.offset = base + records.length
  }

  async #readTo(end: number): Promise<void> {
    await this.#restored.readTo(end)
    this.#checkHold()
  }

  #checkHold(): void {
    const { topic, partition } = this.#place
    const { epoch } = this.#restored.reader
    if (epoch !== this.#epoch)
      throw new MillraceError('TASK_FENCED', { topic, partition, epoch: this.#epoch, by: epoch })
  }

  /** What stale owners wrote over, as it was. */
  #repairs(own: readonly StoreChange[]): StoreChange[] {
    const { touched } = this.#restored.reader
    if (touched.size === 0) return []
    const written = new Set(own.map(([key]) => nameOfKey(key)))
    return [...touched]
      .filter(([name]) => !written.has(name))
      .map(([, key]) => [key, this.#place.section.get(key) ?? null])
  }
}

/** Throws `STATE_WORK_DIFFERS`. */
export function checkWork(
  { topic, partition, work }: Pick<ChangelogPlace, 'topic' | 'partition' | 'work'>,
  commit: Commit | null,
): void {
  if (commit === null || commit.work === work) return
  throw new MillraceError('STATE_WORK_DIFFERS', { topic, partition, stored: commit.work, current: work })
}

/** From the section and what follows in the topic; from the topic alone; or, when that is damaged, from nothing. */
export async function restoreTo(
  place: StatePlace,
  end: number,
): Promise<{ restored: Restored; damage: MillraceError | null }> {
  let restored = await Restored.open(place)
  await restored.readTo(end)
  for (const again of [true, false]) {
    if (restored.isWhole) return { restored, damage: null }
    restored = await Restored.anew(place)
    if (again) await restored.readTo(end)
  }
  const { topic, partition } = place
  await restored.readOver(end)
  return { restored, damage: new MillraceError('STATE_TOPIC_DAMAGED', { topic, partition }) }
}

/** Each key once, as it is in the end. */
function lastOfEach(changes: readonly StoreChange[]): readonly StoreChange[] {
  const last = new Map(changes.map((change) => [nameOfKey(change[0]), change] as const))
  return last.size === changes.length ? changes : [...last.values()]
}

function inParts(records: readonly RecordInput[], bytesMax: number): RecordInput[][] {
  const parts: RecordInput[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const record of records) {
    const size = record.key!.length + (record.value?.length ?? 0) + recordFrameBytes
    if (bytes + size > bytesMax) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)!.push(record)
    bytes += size
  }
  return parts
}

/** About what a record takes beside its contents. */
const recordFrameBytes = 64
