import { ByteWriter } from '../base/bytes.ts'
import { MillraceError } from '../base/faults.ts'
import { sha256 } from '../base/hash.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { kindIntervals, kindOpenInterval } from './store-keys.ts'

/** A key with an event in an interval that is not emitted yet. */
export type OpenEntry = { readonly end: number; readonly key: Uint8Array; readonly correction: boolean }

/** How far the intervals of a view are. Kept by the view's name, as its topic is: another version goes on from here. */
export type IntervalProgress = {
  readonly version: 1
  /** What the open keys depend on: the length of the interval, and how a key is encoded. */
  readonly shape: string
  /** Every interval up to here was emitted. */
  readonly closed: number
  /** Topic and partition → the newest record's own timestamp. */
  readonly recordMs: Readonly<Record<string, number>>
}

/** Longer keys are named by their hash; the value has the key itself. */
const keyBytesMax = 1024

export function putOpen(view: string, { end, key, correction }: OpenEntry): StoreChange {
  return [openKey(view, end, key), Buffer.concat([Uint8Array.of(correction ? 1 : 0), key])]
}

export function deleteOpen(view: string, { end, key }: Omit<OpenEntry, 'correction'>): StoreChange {
  return [openKey(view, end, key), null]
}

export function putProgress(view: string, progress: IntervalProgress): StoreChange {
  return [progressKey(view), Buffer.from(JSON.stringify(progress))]
}

export function deleteProgress(view: string): StoreChange {
  return [progressKey(view), null]
}

export function readProgress(store: OnlineStore, view: string): IntervalProgress | null {
  const bytes = store.get(progressKey(view))
  if (bytes === undefined) return null
  const found = JSON.parse(Buffer.from(bytes).toString()) as Omit<IntervalProgress, 'version'> & { version: number }
  if (found.version !== 1) {
    const what = `the intervals of view "${view}"`
    throw new MillraceError('STATE_VERSION_UNKNOWN', { what, version: found.version, supported: 1 })
  }
  return found as IntervalProgress
}

export function* readOpen(store: OnlineStore, view: string): Iterable<OpenEntry> {
  const prefix = openPrefix(view)
  // The first byte of an instant is smaller.
  for (const [name, value] of store.range(prefix, Buffer.concat([prefix, Uint8Array.of(0xff)]))) {
    const end = Number(
      BigInt(`0x${Buffer.from(name.subarray(prefix.length, prefix.length + endBytes)).toString('hex')}`),
    )
    yield { end, key: Uint8Array.from(value.subarray(1)), correction: value[0] === 1 }
  }
}

/** The views of which the store has any of this. */
export function viewsWithProgress(store: OnlineStore): string[] {
  const entries = store.range(Uint8Array.of(kindIntervals), Uint8Array.of(kindIntervals + 1))
  return Array.from(entries, ([key]) => Buffer.from(key.subarray(1)).toString())
}

const endBytes = 6

function openPrefix(view: string): Uint8Array {
  const writer = new ByteWriter()
  writer.u8(kindOpenInterval)
  writer.string(view)
  return writer.finish()
}

function openKey(view: string, end: number, key: Uint8Array): Uint8Array {
  const long = key.length > keyBytesMax
  const instant = Buffer.alloc(endBytes)
  instant.writeUIntBE(end, 0, endBytes)
  return Buffer.concat([openPrefix(view), instant, long ? Buffer.from(sha256(key), 'hex') : key])
}

function progressKey(view: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(kindIntervals), Buffer.from(view)])
}
