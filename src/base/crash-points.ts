import { assert } from './assert.ts'

/**
 * Every place before, between and after the durable steps where a process may die and leave its own kind of remains.
 * The chaos tests die at each of them and hold what is found afterwards against the naive model.
 *
 * Each name is reached from exactly one line of the sources; `test/chaos/crash-points.test.ts` sees to it.
 */
export const crashPoints = [
  // A group of batches of one partition: taken, written, synced, shown to readers. Only then is it acknowledged.
  'log.group.taken',
  'log.group.written',
  'log.group.synced',
  'log.group.published',
  // The next segment.
  'log.roll.created',
  'log.roll.named',
  'log.roll.sealed',
  // The two index files of a full segment.
  'log.index.half-written',
  // Removal of a segment by retention.
  'log.retention.begun',
  'log.retention.file-removed',
  'log.retention.removed',
  // A new log, a new topic, and the small files that are put in place whole.
  'log.id.begun',
  'log.id.made',
  'log.topic.begun',
  'log.topic.partition-made',
  'log.topic.folder-synced',
  'log.topic.described',
  'log.topic.made',
  'log.file.drafted',
  'log.file.renamed',
  'log.file.replaced',
  // Opening a log again.
  'log.recovery.orphan-removed',
  'log.recovery.resealed',
  'log.recovery.truncated',
  'log.recovery.rewritten',
  'log.recovery.synced',
  'log.recovery.done',
  // The lock of a data folder: taken when it is free, taken over from a dead process, given back.
  'lock.drafted',
  'lock.linked',
  'lock.claimed',
  'lock.moved',
  'lock.taken-over',
  'lock.releasing',
  'lock.released',
  // The embedded online store.
  'store.opened',
  'store.commit.begun',
  'store.commit.done',
  // The engine. A checkpoint: its outputs, which come before it in the log, and what it no longer remembers.
  'engine.outputs.begun',
  'engine.outputs.flushed',
  'engine.ids.expired',
  // Another plan: a track of its own, everything held at one prefix, the takeover, what is left of the old one.
  'engine.track.made',
  'engine.gate.held',
  'engine.gate.done',
  'engine.takeover.merged',
  'engine.sweep.begun',
  'engine.sweep.deleted',
  // Forgetting an entity; and making up for it after a crash that came before the next checkpoint.
  'engine.forget.written',
  'engine.forget.found',
  'engine.forget.mended',
] as const

export type CrashPoint = (typeof crashPoints)[number]

let hook: ((name: CrashPoint) => void) | null = null

/** Says that this place is reached. Does nothing but in tests. */
export function reach(name: CrashPoint): void {
  if (hook !== null) hook(name)
}

/**
 * Calls `reached` at every crash point from now on. For tests: it works in the TypeScript sources only, so that no hook
 * can be forgotten in what is published, which is JavaScript.
 */
export function onCrashPoint(reached: (name: CrashPoint) => void): void {
  assert(import.meta.url.endsWith('.ts'), 'crash points are hooked in the unbuilt sources only')
  hook = reached
}
