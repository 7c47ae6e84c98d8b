import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../log/embedded/embedded-log.ts'
import { eventBytesMax } from '../schema/decode.ts'
import { readDurableEnds } from './checkpoint-ends.ts'

/** The largest event and its key fit into one record. */
const recordBytesMax = eventBytesMax + 4_096

/**
 * Opens the log of a data folder to write it, as the only process that does. What the last checkpoint has seen was
 * durable: where it is gone, that is damage, and nothing is cut off. Throws `FOLDER_IN_USE`, `LOG_CORRUPT`.
 */
export async function openFolderLog(folder: string, clock: Clock): Promise<EmbeddedLog> {
  const durableEnds = await readDurableEnds(folder)
  return await openEmbeddedLog({ folder: join(folder, 'log'), clock, recordBytesMax, durableEnds })
}
