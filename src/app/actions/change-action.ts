import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Log } from '../../log/log.ts'
import { predictionsTopic } from '../../plan/topics.ts'
import { noteLengthMax } from '../../registry/version-record.ts'
import type { ActionChanges } from './action-changes.ts'

type Place = { readonly changes: ActionChanges; readonly log: Log; readonly clock: Clock; readonly name: string }

type Change = { readonly change: 'stopped' | 'resumed'; readonly note: string | null; readonly skip?: boolean }

/** Stops or resumes an action, durably; nothing is written where it is so already. */
export async function changeAction(
  { changes, log, clock, name }: Place,
  { change, note, skip }: Change,
): Promise<void> {
  if (note !== null && note.length > noteLengthMax) {
    const detail = `the note has ${note.length} characters`
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: `Give at most ${noteLengthMax}.` })
  }
  await changes.refresh()
  if ((changes.of(name).stopped !== null) === (change === 'stopped')) return
  const at = new Date(clock.now()).toISOString()
  const from = skip === true ? { from: await endsOf(log) } : {}
  await changes.append({ action: name, change, ...from, at, note })
}

/** One past the last prediction of each partition. */
export async function endsOf(log: Log): Promise<number[]> {
  const found = log.topics().find(({ topic }) => topic === predictionsTopic)
  if (found === undefined) return []
  await log.refresh(predictionsTopic)
  return Array.from({ length: found.partitions }, (_, partition) => log.end(predictionsTopic, partition))
}
