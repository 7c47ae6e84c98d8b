import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import { openEmbeddedLog } from '../log/embedded/embedded-log.ts'
import type { FileSystem } from '../log/embedded/file-system.ts'
import { nodeFileSystem } from '../log/embedded/node-file-system.ts'
import { readOnlyFileSystem } from '../log/embedded/read-only-file-system.ts'
import type { Log } from '../log/log.ts'
import { undeclared, viewsOf } from '../plan/find.ts'
import { readForgotten } from '../plan/forgotten.ts'
import type { Plan } from '../plan/plan.ts'
import { makeKeyEncoder } from '../serve/entity-key.ts'
import { explainValue, type ValueExplanation } from '../dataset/explain-value.ts'
import { logHistory } from '../dataset/history.ts'
import { readingSchemas } from './schemas/log-with-schemas.ts'

/** A segment is gone between the moment it is listed and the one it is opened only when retention removes it just then. */
const attemptsMax = 20

/**
 * Opens the log of a data folder to read it, also while a running millrace writes it: what is durable by now. Throws
 * `FOLDER_WITHOUT_LOG`.
 */
export async function openReadOnlyLog(
  folder: string,
  clock: Clock = systemClock,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<Log> {
  const logFolder = join(folder, 'log')
  try {
    await access(logFolder)
  } catch (error) {
    throw new MillraceError('FOLDER_WITHOUT_LOG', { folder }, { cause: error })
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await openEmbeddedLog({ folder: logFolder, clock, fileSystem: readOnlyFileSystem(fileSystem) })
    } catch (error) {
      if (attempt === attemptsMax || !isOfMissingFile(error)) throw error
    }
  }
}

function isOfMissingFile(error: unknown): boolean {
  return (
    error instanceof Error && error.cause instanceof Error && 'code' in error.cause && error.cause.code === 'ENOENT'
  )
}

export type ExplainOptions = {
  readonly plan: Plan
  readonly log: Log
  readonly view: string
  readonly feature: string
  readonly keys: Readonly<Record<string, unknown>>
  readonly asOf: number
  readonly clock?: Clock
  readonly onRead?: (count: number) => void
}

/** One value of one entity, recomputed from the log with every event behind it. `view` may be a service of the view. */
export async function explainFromLog(options: ExplainOptions): Promise<ValueExplanation> {
  const { plan, log, asOf, feature, clock = systemClock, onRead = () => undefined } = options
  const views = viewsOf(plan, options.view)
  const view = views.find(({ features }) => features.some(({ name }) => name === feature))
  if (view === undefined) {
    const declared = views.flatMap(({ features }) => features.map(({ name }) => name))
    throw undeclared(`feature of ${options.view}`, feature, declared)
  }
  const key = makeKeyEncoder(view)(options.keys)
  const stream = plan.streams.find(({ name }) => name === view.stream)!
  const forgotten = await readForgotten(log)
  return await explainValue(
    { view, feature, key, asOf, forgotten },
    logHistory(stream, readingSchemas(log, [plan], clock), { clock }),
    onRead,
  )
}
