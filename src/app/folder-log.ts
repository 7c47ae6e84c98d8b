import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../log/embedded/embedded-log.ts'
import { eventBytesMax } from '../schema/decode.ts'

/** The largest event and its key fit into one record. */
const recordBytesMax = eventBytesMax + 4_096

/** Opens the log of a data folder to write it, as the only process that does. Throws `FOLDER_IN_USE`. */
export async function openFolderLog(folder: string, clock: Clock): Promise<EmbeddedLog> {
  return await openEmbeddedLog({ folder: join(folder, 'log'), clock, recordBytesMax })
}
