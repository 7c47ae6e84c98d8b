import { assert } from '../base/assert.ts'
import { ByteWriter } from '../base/bytes.ts'
import { sha256 } from '../base/hash.ts'
import type { PageCache } from '../kernel/paged/page-cache.ts'
import { pageNameBytes } from '../kernel/paged/place.ts'
import type { PageSource } from '../kernel/paged/span-store.ts'
import type { OnlineStore } from '../store/online/online-store.ts'

/** How the engine's parts share one online store: a byte for the kind of entry, then its own key. */
const kindCheckpoint = 0
const kindState = 1
export const kindIds = 2
const kindStateOfLongKey = 3
export const kindRejections = 4
/** How far the intervals of a view are (`interval-entries.ts`). */
export const kindIntervals = 5
/** Keys with an event in an interval that is not emitted yet. */
export const kindOpenInterval = 6
/** Pages of events of a key that has many. */
const kindPage = 7
const kindPageOfLongKey = 8
/** How far the requests of a partition are answered (`answerer.ts`). */
const kindAnswered = 9

/** Longer keys are named by their hash. With what stands before it a key stays within what any store takes. */
const keyBytesMax = 1024
/** More than any key has behind its fingerprint. */
const storeKeyPadding = keyBytesMax + 1

export const checkpointKey: Uint8Array = Uint8Array.of(kindCheckpoint)

/**
 * Where a view keeps the state of a key. Nothing reads a key back from here, so a long one, of several long texts, may
 * be its SHA-256 instead.
 *
 * @param view the view's fingerprint.
 */
export function stateKey(view: string, key: Uint8Array): Uint8Array {
  return makeStateKey(view)(key)
}

/** `stateKey` of one view, for many keys. */
export function makeStateKey(view: string): (key: Uint8Array) => Uint8Array {
  const [short, long] = [statesOf(kindState, view), statesOf(kindStateOfLongKey, view)]
  return (key) => {
    if (key.length > keyBytesMax) return Buffer.concat([long, Buffer.from(sha256(key), 'hex')])
    const made = new Uint8Array(short.length + key.length)
    made.set(short)
    made.set(key, short.length)
    return made
  }
}

/** The states of a view whose key has this SHA-256 (hex), with what they hold: of short keys all have to be looked at. */
export function* statesOfHashedKey(
  store: OnlineStore,
  view: string,
  hash: string,
): Generator<readonly [key: Uint8Array, value: Uint8Array]> {
  const long = Buffer.concat([statesOf(kindStateOfLongKey, view), Buffer.from(hash, 'hex')])
  const found = store.get(long)
  if (found !== undefined) yield [long, found]
  const from = statesOf(kindState, view)
  for (const [key, value] of store.range(from, endOf(from))) {
    if (sha256(key.subarray(from.length)) === hash) yield [Uint8Array.from(key), Uint8Array.from(value)]
  }
}

/** What the pages of a key begin with: the rest is `nameOfRecord`. */
function pagesOf(state: Uint8Array): Uint8Array {
  const prefix = Uint8Array.from(state)
  prefix[0] = state[0] === kindStateOfLongKey ? kindPageOfLongKey : kindPage
  return prefix
}

/** @param state the `stateKey` of the key. */
export function pageKey(state: Uint8Array, name: Uint8Array): Uint8Array {
  return Buffer.concat([pagesOf(state), name])
}

/** Where the pages of all keys of a view are. */
export function isPageKey(key: Uint8Array): boolean {
  return key[0] === kindPage || key[0] === kindPageOfLongKey
}

/** The keys of all pages of a key that the store has. No key of a view begins with another, so none are of others. */
export function* pageKeysOf(store: OnlineStore, state: Uint8Array): Generator<Uint8Array> {
  const from = pagesOf(state)
  const end = Buffer.concat([from, new Uint8Array(pageNameBytes).fill(0xff)])
  for (const [key] of store.range(from, end)) {
    if (key.length === from.length + pageNameBytes) yield Uint8Array.from(key)
  }
}

/** Where a key's pages are read from, while `cache` does not have them. */
export function pageSource(store: OnlineStore, state: Uint8Array, cache: PageCache): PageSource {
  return { get: (name) => store.get(pageKey(state, name)), cache }
}

/** Whether the store has any state of a view. */
export function hasStates(store: OnlineStore, view: string): boolean {
  for (const kind of [kindState, kindStateOfLongKey]) {
    const from = statesOf(kind, view)
    for (const _ of store.range(from, endOf(from))) return true
  }
  return false
}

/** The first key behind all that begin with this. */
function endOf(prefix: Uint8Array): Uint8Array {
  return Buffer.concat([prefix, new Uint8Array(storeKeyPadding).fill(0xff)])
}

function statesOf(kind: number, view: string): Uint8Array {
  const fingerprint = Buffer.from(view, 'hex')
  assert(fingerprint.length === 8, 'a fingerprint has 16 hex digits')
  return Buffer.concat([Uint8Array.of(kind), fingerprint])
}

/** Ids that one checkpoint added for one source of a track. Segments sort by their number. */
export function idsKey(source: { track: number; topic: number; partition: number }, segment: number): Uint8Array {
  const writer = new ByteWriter()
  writer.u8(kindIds)
  bigEndian(writer, source.track, 4)
  writer.u8(source.topic)
  bigEndian(writer, source.partition, 2)
  bigEndian(writer, segment, 6)
  return writer.finish()
}

/** How far an answerer is in a partition of its requests. */
export function answeredKey(answerer: string, partition: number): Uint8Array {
  return Buffer.concat([Uint8Array.of(kindAnswered), Buffer.from(`${answerer}/${partition}`)])
}

/** The open rejections of one source of a track. */
export function rejectionsKey(source: { track: number; topic: number; partition: number }): Uint8Array {
  const writer = new ByteWriter()
  writer.u8(kindRejections)
  bigEndian(writer, source.track, 4)
  writer.u8(source.topic)
  bigEndian(writer, source.partition, 2)
  return writer.finish()
}

export const segmentMax: number = 2 ** 48 - 1

function bigEndian(writer: ByteWriter, value: number, bytes: number): void {
  for (let shift = (bytes - 1) * 8; shift >= 0; shift -= 8) writer.u8(Math.floor(value / 2 ** shift) & 0xff)
}

/** The kinds of entries that belong to a view or to a track, and how many bytes after the kind name which. */
export const ownedKinds: readonly {
  readonly kind: number
  readonly owner: 'view' | 'track'
  readonly bytes: number
}[] = [
  { kind: kindState, owner: 'view', bytes: 8 },
  { kind: kindStateOfLongKey, owner: 'view', bytes: 8 },
  { kind: kindPage, owner: 'view', bytes: 8 },
  { kind: kindPageOfLongKey, owner: 'view', bytes: 8 },
  { kind: kindIds, owner: 'track', bytes: 4 },
  { kind: kindRejections, owner: 'track', bytes: 4 },
]

/** A view's fingerprint, or a track's number as eight hex digits, as it stands in a key. */
export function ownerIn(key: Uint8Array, bytes: number): string {
  return Buffer.from(key.subarray(1, 1 + bytes)).toString('hex')
}

export function trackOwner(track: number): string {
  return track.toString(16).padStart(8, '0')
}
