import type { StoreChange } from '../../store/online/online-store.ts'
import type { StoreSection } from './store-section.ts'
import { checkWork, type Cut, restoreTo } from './changelog.ts'
import type { StatePlace } from './restored.ts'
import { type Commit, commitVersion } from './state-record.ts'

/** Where the snapshot of a follower says how far it is. Its first restore has another one, of the owner's. */
const followedKey: Uint8Array = Uint8Array.of(0xfe)

type FollowedPlace = StatePlace & { readonly work: string }
type Followed = { readonly log: string; readonly commit: Commit }

/**
 * The checkpoints of a follower, which owns nothing: in its own section of the local store, and nowhere else. It begins
 * with the owner's last checkpoint.
 */
export class LocalSnapshots {
  readonly #place: FollowedPlace
  readonly #section: StoreSection
  #commit: Commit | null

  private constructor(place: FollowedPlace, commit: Commit | null) {
    this.#place = place
    this.#section = place.section
    this.#commit = commit
  }

  /** @param isUsable whether the input still holds what follows an own snapshot. */
  static async open(place: FollowedPlace, isUsable: (next: number) => boolean): Promise<LocalSnapshots> {
    const { log, topic, partition, section } = place
    const bytes = section.get(followedKey)
    const followed = bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString()) as Followed)
    if (followed !== null && followed.log === log.id && followed.commit.work === place.work) {
      if (isUsable(followed.commit.next)) return new LocalSnapshots(place, followed.commit)
    }
    await section.clear()
    await log.refresh(topic)
    const { restored } = await restoreTo(place, log.end(topic, partition))
    checkWork(place, restored.commit)
    return new LocalSnapshots(place, restored.commit)
  }

  get commit(): Commit | null {
    return this.#commit
  }

  async write(changes: readonly StoreChange[], cut: Cut): Promise<void> {
    const { work, log } = this.#place
    const number = (this.#commit?.number ?? 0) + 1
    const commit: Commit = { version: commitVersion, epoch: -1, number, work, digest: '', entries: 0, ...cut }
    const followed: Followed = { log: log.id, commit }
    await this.#section.write([...changes, [followedKey, Buffer.from(JSON.stringify(followed))]])
    this.#commit = commit
  }

  async look(): Promise<boolean> {
    return await Promise.resolve(false)
  }
}
