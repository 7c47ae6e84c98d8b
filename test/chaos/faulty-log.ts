/** Stands in for `src/log/embedded/embedded-log.ts` in a process under test: the same log on a disk that can fail. */
import {
  type EmbeddedLog,
  type EmbeddedLogOptions,
  openEmbeddedLog as openWholeLog,
} from '../../src/log/embedded/embedded-log.ts'
import type { FileSystem } from '../../src/log/embedded/file-system.ts'
import { nodeFileSystem } from '../../src/log/embedded/node-file-system.ts'
import { bufferedFileSystem } from './buffered-file-system.ts'
import { failingFileSystem } from './failing-file-system.ts'
import { readProcessFaults } from './process-faults.ts'

export type { EmbeddedLog, EmbeddedLogOptions }

export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const { segmentBytes } = readProcessFaults()
  return await openWholeLog({ segmentBytes, ...options, fileSystem: options.fileSystem ?? makeFileSystem() })
}

function makeFileSystem(): FileSystem {
  const { powerCut, file, syncMs } = readProcessFaults()
  const disk = powerCut === null ? nodeFileSystem : bufferedFileSystem(powerCut.seed)
  return file === null && syncMs === 0 ? disk : failingFileSystem(disk, { fault: file, syncMs })
}
