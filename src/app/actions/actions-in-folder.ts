import { type Clock, systemClock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Log } from '../../log/log.ts'
import { undeclared } from '../../plan/find.ts'
import type { ActionPlan } from '../../plan/plan.ts'
import type { ActionStatus, ResumeOptions } from '../../serve/http-service.ts'
import { type LogPlace, openLog, openLogToRead } from '../open-log.ts'
import { openRegistry } from '../versions.ts'
import { ActionChanges } from './action-changes.ts'
import { statusOf } from './actions.ts'
import { changeAction } from './change-action.ts'

export type { ActionStatus }

/** A data folder, or a log elsewhere that processes of any number may be at work on. */
export type ActionsPlace = { readonly folder: string; readonly log: LogPlace | undefined; readonly clock?: Clock }

/** What the log says of an action; what became of predictions, only the process that acts can tell. */
export type NotedAction = Pick<ActionStatus, 'name' | 'model' | 'when' | 'to' | 'stopped'>

/** The actions that are applied, also while a millrace runs. Throws `FOLDER_WITHOUT_LOG`. */
export async function readActions({ folder, log: place, clock }: ActionsPlace): Promise<readonly NotedAction[]> {
  const log = await openLogToRead(folder, place, clock)
  try {
    const { actions, changes } = await readAll(log, folder)
    return actions.map((plan) => noted(plan, changes))
  } finally {
    await log.close()
  }
}

/** Stops or resumes one where no process runs, or beside those of a log elsewhere. Throws `NAME_UNDECLARED`. */
export async function changeActionIn(
  { folder, log: place, clock = systemClock }: ActionsPlace,
  name: string,
  change: { readonly change: 'stopped' | 'resumed' } & Required<ResumeOptions>,
): Promise<NotedAction> {
  // What is not there is not made.
  await (await openLogToRead(folder, place, clock)).close()
  const log = await openLog(folder, place, clock)
  try {
    const { actions, changes } = await readAll(log, folder)
    const plan = actions.find((one) => one.name === name)
    if (plan === undefined) {
      const declared = actions.map((one) => one.name)
      throw undeclared('action', name, declared)
    }
    await changeAction({ changes, log, clock, name }, change)
    return noted(plan, changes)
  } finally {
    await log.close()
  }
}

async function readAll(log: Log, folder: string) {
  const registry = await openRegistry(log)
  if (registry.applied === null) throw new MillraceError('REGISTRY_EMPTY', { place: folder })
  const changes = new ActionChanges(log)
  await changes.refresh()
  return { actions: registry.compiled(registry.number).plan.actions, changes }
}

function noted(plan: ActionPlan, changes: ActionChanges): NotedAction {
  return { ...statusOf(plan), stopped: changes.of(plan.name).stopped }
}
