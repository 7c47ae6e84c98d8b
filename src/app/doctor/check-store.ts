import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { messageOf, MillraceError } from '../../base/faults.ts'
import { openStoreSnapshot, storeDataFile } from '../../store/online/embedded/store-snapshot.ts'
import type { OnlineStore } from '../../store/online/online-store.ts'
import { type Checkpoint, readCheckpoint } from '../../stream/checkpoint.ts'
import type { Findings } from './finding.ts'

export type FoundStore = { readonly store: OnlineStore; readonly checkpoint: Checkpoint | null }

export const rebuildHint =
  'Stop the process and delete the folder `store`: the next start rebuilds it from the log. `millrace doctor --deep` shows whether what it holds is right.'

/** The store as it is now, and its checkpoint; null when there is none to look at. */
export async function openStore(
  { folder, logId }: { folder: string; logId: string | null },
  findings: Findings,
): Promise<FoundStore | null> {
  const path = join(folder, 'store')
  if (!(await exists(join(path, storeDataFile)))) {
    findings.ok('store', 'there is none: the next start builds it from the log')
    return null
  }
  const trouble = await probe(path)
  if (trouble !== null) {
    findings.fault('store', `it cannot be read: ${trouble}`, rebuildHint)
    return null
  }
  const store = await openStoreSnapshot(path)
  if (store === null) return null
  return { store, checkpoint: checkpointIn(store, { path, logId }, findings) }
}

function checkpointIn(
  store: OnlineStore,
  { path, logId }: { path: string; logId: string | null },
  findings: Findings,
): Checkpoint | null {
  if (logId === null) return null
  try {
    const checkpoint = readCheckpoint(store, { log: logId, folder: path })
    if (checkpoint === null) findings.ok('store', 'it has no checkpoint yet')
    else findings.ok('store', `checkpoint ${checkpoint.number}, of this log`)
    return checkpoint
  } catch (error) {
    const hint = error instanceof MillraceError ? error.hint : rebuildHint
    findings.fault('store', `the checkpoint: ${messageOf(error)}`, hint)
    return null
  }
}

/**
 * Reads the whole store once in a process of its own. The file is mapped into memory, and a damaged one can end the
 * process that reads it.
 */
async function probe(path: string): Promise<string | null> {
  const script = join(import.meta.dirname, `store-probe${extname(import.meta.filename)}`)
  const execArgv = process.execArgv.filter((argument) => !/^--(inspect|watch|test|cpu-prof|heap-prof)/.test(argument))
  const child = spawn(process.execPath, [...execArgv, script, path], { stdio: ['ignore', 'ignore', 'pipe'] })
  const [said, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'close')])
  if (code === 0) return null
  const last = said.trim().split('\n').at(-1) ?? ''
  return signal === null ? last : `reading it ended the process with ${String(signal)}`
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
