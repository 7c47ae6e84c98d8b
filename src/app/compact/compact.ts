import { access, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { assert } from '../../base/assert.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { EmbeddedLog } from '../../log/embedded/embedded-log.ts'
import { nodeFileSystem } from '../../log/embedded/node-file-system.ts'
import type { Plan } from '../../plan/plan.ts'
import { openFolderLog } from '../folder-log.ts'
import { compactLog, type CompactProgress, type TopicCompaction } from './compact-log.ts'

export type CompactOptions = {
  /** A data folder that no process runs. */
  readonly folder: string
  /** Default: the version that is applied in the folder. */
  readonly plan?: Plan
  /** Also where a part of the log is gone that the state still knows of. */
  readonly acceptWarming?: boolean
  readonly clock?: Clock
  readonly onProgress?: (progress: CompactProgress) => void
}

/** What was done. */
export type Compacted = {
  readonly folder: string
  /** Entities that were ever forgotten. */
  readonly forgotten: number
  readonly topics: readonly TopicCompaction[]
  /** Whether anything was replaced; then the state is gone, and the next start rebuilds it from the log. */
  readonly changed: boolean
  /** What of forgotten entities stays, and what it does to others: for people. */
  readonly notes: readonly string[]
}

/**
 * Takes out of a data folder what was forgotten: pseudonyms take the place of the keys of forgotten entities in all
 * their records, and what no stream declares goes. Values and counters of everything else stay, also when they are
 * rebuilt from the log. What is interrupted is finished by doing it again, and doing it again does nothing.
 *
 * The state goes first. It holds parts of raw events, and is rebuilt from the log whether that was rewritten by then,
 * in part, or not at all. So a state that is there never holds more than its log: were it to go last, an interruption
 * in between could leave it behind for good, because the log no longer says that there was anything to take out.
 *
 * Throws `FOLDER_IN_USE`, `FOLDER_WITHOUT_LOG`, `REGISTRY_EMPTY`, `COMPACT_LOSES_STATE`, and `NAME_UNDECLARED` for a
 * forgotten entity that no definitions have.
 */
export async function compact(options: CompactOptions): Promise<Compacted> {
  const { plan, acceptWarming = false, clock = systemClock, onProgress = () => undefined } = options
  const folder = resolve(options.folder)
  if (!(await exists(join(folder, 'log')))) throw new MillraceError('FOLDER_WITHOUT_LOG', { folder })
  const log: EmbeddedLog = await openFolderLog(folder, clock)
  try {
    const hasState = await exists(join(folder, 'store'))
    const done = await compactLog({
      log,
      folder,
      plan: plan ?? null,
      clock,
      mayLoseState: acceptWarming || !hasState,
      removeState: () => removeState(folder),
      onProgress,
    })
    return { folder, ...done }
  } finally {
    await log.close()
  }
}

/** The store, and what a release before 0.2 kept in its place. Durable when it resolves. */
async function removeState(folder: string): Promise<void> {
  for (const name of ['store', 'state']) await rm(join(folder, name), { recursive: true, force: true })
  assert(!(await exists(join(folder, 'store'))), 'a removed folder is gone')
  await nodeFileSystem.syncFolder(folder)
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
