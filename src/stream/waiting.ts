import type { Emission } from './emission.ts'
import type { Tracks } from './tracks.ts'

/** A checkpoint starts early when this much waits for it; reading pauses at twice as much. */
const statesMax = 50_000
/** New ids to remember: few keys can have many. */
const idsMax = 50_000
const bytesMax = 16 * 1024 * 1024

/** How full what waits for the next checkpoint is: 1 is the limit. */
export function waiting(tracks: Tracks, { outputs }: Emission): number {
  let [states, ids] = [0, 0]
  for (const { table } of tracks.folds) states += table.dirtyCount
  for (const { newIdCount } of tracks.tasks) ids += newIdCount
  return Math.max(states / statesMax, ids / idsMax, outputs.pendingBytes / bytesMax)
}
