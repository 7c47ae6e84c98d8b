import type { Clock } from '../base/clock.ts'
import { reach } from '../base/crash-points.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { type Checkpoint, encodeCheckpoint } from './checkpoint.ts'
import { checkpointKey, ownedKinds, ownerIn, trackOwner } from './store-keys.ts'

export type InUse = { readonly views: ReadonlySet<string>; readonly tracks: ReadonlySet<number> }

/** Entries that one write deletes: few enough that a checkpoint never waits long behind it. */
const deletedAtOnceMax = 2_000

/**
 * Deletes what belongs to no view and no track in use. Done again after a crash, so that it needs no memory of its own.
 *
 * The checkpoint in the store may still speak of it, as one of other definitions does. In one write with the first
 * deletions it ceases to: after a crash those definitions would otherwise be taken up where it stands, without the
 * states. So no checkpoint may be on its way when this is called; later ones speak only of what is in use.
 */
export async function sweepStore(
  store: OnlineStore,
  inUse: InUse,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  for (let first = true; !signal.aborted; first = false) {
    const changes = findUnused(store, inUse)
    if (changes.length === 0) return
    if (first) changes.push(...withoutUnused(store, inUse))
    reach('engine.sweep.begun')
    await store.write(changes)
    reach('engine.sweep.deleted')
    await clock.turn()
  }
}

function withoutUnused(store: OnlineStore, { views, tracks }: InUse): StoreChange[] {
  const bytes = store.get(checkpointKey)
  if (bytes === undefined) return []
  const checkpoint = JSON.parse(Buffer.from(bytes).toString()) as Checkpoint
  const used = <T>(byView: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(byView).filter(([view]) => views.has(view)))
  const kept: Checkpoint = {
    ...checkpoint,
    tracks: checkpoint.tracks
      .filter(({ track }) => tracks.has(track))
      .map((track) => ({ ...track, views: track.views.filter((view) => views.has(view)) })),
    views: used(checkpoint.views),
    ...(checkpoint.cutOff === undefined ? {} : { cutOff: used(checkpoint.cutOff) }),
  }
  return [[checkpointKey, encodeCheckpoint(kept)]]
}

function findUnused(store: OnlineStore, { views, tracks }: InUse): StoreChange[] {
  const used = { view: views, track: new Set([...tracks].map(trackOwner)) }
  const changes: StoreChange[] = []
  for (const { kind, owner, bytes } of ownedKinds) {
    const end = Uint8Array.of(kind + 1)
    // From owner to owner: of those in use only the first entry is looked at.
    for (let from: Uint8Array = Uint8Array.of(kind); ; ) {
      const found = firstOwner(store, { from, end, bytes })
      if (found === null) break
      const next = after(kind, found, bytes)
      if (!used[owner].has(found)) {
        for (const [key] of store.range(Buffer.concat([Uint8Array.of(kind), Buffer.from(found, 'hex')]), next ?? end)) {
          changes.push([Uint8Array.from(key), null])
          if (changes.length >= deletedAtOnceMax) return changes
        }
      }
      if (next === null) break
      from = next
    }
  }
  return changes
}

function firstOwner(store: OnlineStore, place: { from: Uint8Array; end: Uint8Array; bytes: number }): string | null {
  for (const [key] of store.range(place.from, place.end)) return ownerIn(key, place.bytes)
  return null
}

/** The first key behind all of an owner's; null when there can be none. */
function after(kind: number, owner: string, bytes: number): Uint8Array | null {
  const next = BigInt(`0x${owner}`) + 1n
  if (next >= 1n << BigInt(bytes * 8)) return null
  return Buffer.concat([Uint8Array.of(kind), Buffer.from(next.toString(16).padStart(bytes * 2, '0'), 'hex')])
}
