import { reach } from '../base/crash-points.ts'
import { decodeState } from '../kernel/state-codec.ts'
import type { Forgotten } from '../plan/forgotten.ts'
import type { Plan } from '../plan/plan.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { type Checkpoint, encodeCheckpoint, type ViewCounts } from './checkpoint.ts'
import { checkpointKey, pageKeysOf, statesOfHashedKey } from './store-keys.ts'

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
        for (const page of pageKeysOf(store, key)) changes.set(Buffer.from(page).toString('hex'), [page, null])
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
  reach('engine.forget.found')
  await store.write([...changes.values(), [checkpointKey, encodeCheckpoint(mended)]])
  reach('engine.forget.mended')
  return mended
}
