import { assert } from '../base/assert.ts'
import { decodeState } from '../kernel/state-codec.ts'
import type { Log } from '../log/log.ts'
import { Forgotten, forgottenTopic, parseForgotten } from '../plan/forgotten.ts'
import type { Plan } from '../plan/plan.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { type Checkpoint, encodeCheckpoint, type ViewCounts } from './checkpoint.ts'
import { checkpointKey, statesOfHashedKey } from './store-keys.ts'

/** Everything that was forgotten, from its topic. Throws `FORGOTTEN_MALFORMED`: what to forget must not be guessed. */
export async function readForgotten(log: Log): Promise<Forgotten> {
  const forgotten = new Forgotten()
  if (!log.topics().some(({ topic }) => topic === forgottenTopic)) return forgotten
  const end = log.end(forgottenTopic, 0)
  for (let offset = log.start(forgottenTopic, 0); offset < end; ) {
    const records = await log.read(forgottenTopic, 0, offset, 1024 * 1024)
    assert(records.length > 0, 'before its end a partition has records')
    for (const record of records) forgotten.add(parseForgotten(record))
    offset = records.at(-1)!.offset + 1
  }
  return forgotten
}

/**
 * What was forgotten after a checkpoint, because a crash came before the next one, takes its effect on the checkpoint
 * itself: in one write the states go, and their events count as forgotten.
 */
export async function forgetInStore(
  store: OnlineStore,
  checkpoint: Checkpoint,
  { forgotten, plans }: { forgotten: Forgotten; plans: readonly Plan[] },
): Promise<Checkpoint> {
  const open = forgotten.all.slice(checkpoint.forgotten)
  if (open.length === 0) return checkpoint
  const views: Record<string, ViewCounts> = { ...checkpoint.views }
  const changes = new Map<string, StoreChange>()
  for (const view of new Map(plans.flatMap((plan) => plan.views.map((one) => [one.fingerprint, one]))).values()) {
    const counts = views[view.fingerprint]
    if (counts === undefined) continue
    for (const { entity, key: hash } of open) {
      if (entity !== view.entity) continue
      for (const [key, value] of statesOfHashedKey(store, view.fingerprint, hash)) {
        const name = Buffer.from(key).toString('hex')
        if (changes.has(name)) continue
        changes.set(name, [key, null])
        const { applied } = decodeState(view.program, value)
        const { [view.fingerprint]: before } = views
        views[view.fingerprint] = {
          ...before!,
          applied: before!.applied - applied,
          forgotten: before!.forgotten + applied,
        }
      }
    }
  }
  const mended: Checkpoint = { ...checkpoint, views, forgotten: forgotten.all.length }
  await store.write([...changes.values(), [checkpointKey, encodeCheckpoint(mended)]])
  return mended
}
