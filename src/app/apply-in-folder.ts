import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import type { Definition } from '../definition/definition.ts'
import { Registry } from '../registry/registry.ts'
import type { RegistryState } from '../serve/http-service.ts'
import { compilePlan } from './load-plan.ts'
import { openMill } from './mill.ts'
import { type LogPlace, openLogToRead } from './open-log.ts'
import { type Applied, type ApplyOptions, registerDefinitions, registerRollback } from './versions.ts'

/** The versions in a data folder or elsewhere, also while a millrace runs. Null: there is no such folder yet. */
export async function readVersions(
  folder: string,
  place?: LogPlace,
  clock: Clock = systemClock,
): Promise<Registry | null> {
  try {
    if (place === undefined) await access(join(folder, 'log'))
  } catch {
    return null // Whoever applies will make it.
  }
  const log = await openLogToRead(folder, place, clock)
  try {
    return await Registry.open({ log, compile: compilePlan })
  } finally {
    await log.close()
  }
}

export type FolderChange = { readonly definitions: readonly Definition[] } | { readonly rollback: number | undefined }

export type FolderOptions = ApplyOptions & {
  readonly folder: string
  readonly partitions: number
  /** Where the log is, if not in the folder. */
  readonly log?: LogPlace
  readonly clock?: Clock
  /** Called when it is applied, before anything is built. */
  readonly onApplied: (applied: Applied) => void
  /** Called now and then while it is built. */
  readonly onState: (state: RegistryState) => void
}

const lookMs = 50

/**
 * Applies definitions, or an older version, in a folder where nothing runs, and builds what they need, so that the next
 * start serves them at once. Ended before that, the next start goes on. Throws as `registerDefinitions` does.
 */
export async function applyInFolder(change: FolderChange, options: FolderOptions): Promise<void> {
  const { folder, partitions, log, clock = systemClock } = options
  const opening = { folder, partitions, clock, act: false, ...(log === undefined ? {} : { log }) }
  const mill = await openMill(opening, async (place) => {
    const applied = await ('definitions' in change
      ? registerDefinitions(change.definitions, place, options)
      : registerRollback(change.rollback, place, options))
    options.onApplied(applied)
    return applied
  })
  try {
    const isBuilding = (): boolean => mill.engine.building !== null && mill.engine.halted.length === 0
    while (isBuilding() && mill.engine.fault === null) {
      options.onState(mill.versions.state())
      await clock.sleep(lookMs)
    }
    // Also what came since: the folder is left as if it had been running. Throws what stopped it.
    await mill.caughtUp()
  } finally {
    await mill.close()
  }
}
