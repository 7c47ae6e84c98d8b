import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { File, FileSystem } from '../../src/log/embedded/file-system.ts'
import type { ProcessFaults } from './process-faults.ts'

export const fileOperations = [
  'open',
  'read',
  'write',
  'truncate',
  'sync',
  'rename',
  'remove',
  'list',
  'syncFolder',
] as const

export type FileOperation = (typeof fileOperations)[number]

/**
 * Fails on demand, and says so on standard output: `injected <operation> <path>`. After a failed sync nobody knows what
 * the disk holds: whoever writes or syncs that file again in the same process is told on, `retried <path>`.
 */
export function failingFileSystem(
  inner: FileSystem,
  { fault, syncMs }: { fault: ProcessFaults['file']; syncMs: number },
): FileSystem {
  let count = 0
  const doubtful = new Set<string>()
  const attempt = (operation: FileOperation, path: string): void => {
    if (doubtful.has(path) && (operation === 'write' || operation === 'sync')) writeSync(1, `retried ${path}\n`)
    if (fault === null || operation !== fault.operation) return
    count += 1
    if (count !== fault.nth && !(fault.stays && count > fault.nth)) return
    if (operation === 'sync') doubtful.add(path)
    writeSync(1, `injected ${operation} ${path}\n`)
    throw Object.assign(new Error(`${fault.code}: injected, ${operation} ${path}`), { code: fault.code })
  }
  return {
    open: async (path, mode) => {
      attempt('open', path)
      return failingFile(await inner.open(path, mode), { path, attempt, syncMs })
    },
    makeFolder: (path) => inner.makeFolder(path),
    list: async (folder) => {
      attempt('list', folder)
      return await inner.list(folder)
    },
    rename: async (from, to) => {
      attempt('rename', to)
      await inner.rename(from, to)
    },
    remove: async (path) => {
      attempt('remove', path)
      await inner.remove(path)
    },
    syncFolder: async (path) => {
      attempt('syncFolder', path)
      await inner.syncFolder(path)
    },
    lock: (path) => inner.lock(path),
  }
}

type Failing = { path: string; attempt: (operation: FileOperation, path: string) => void; syncMs: number }

function failingFile(inner: File, { path, attempt, syncMs }: Failing): File {
  return {
    sizeBytes: () => inner.sizeBytes(),
    read: async (into, position) => {
      attempt('read', path)
      return await inner.read(into, position)
    },
    write: async (bytes, position) => {
      try {
        attempt('write', path)
      } catch (error) {
        // As a disk that fills up: part of it arrives.
        await inner.write(bytes.subarray(0, bytes.length >>> 1), position)
        throw error
      }
      await inner.write(bytes, position)
    },
    truncate: async (sizeBytes) => {
      attempt('truncate', path)
      await inner.truncate(sizeBytes)
    },
    sync: async () => {
      if (syncMs > 0) await sleep(syncMs)
      attempt('sync', path)
      await inner.sync()
    },
    close: () => inner.close(),
  }
}
