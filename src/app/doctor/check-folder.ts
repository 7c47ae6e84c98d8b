import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MillraceError } from '../../base/faults.ts'
import { holderOf } from '../../log/embedded/lock-file.ts'
import type { Findings } from './finding.ts'

/** What a data folder holds. */
const known = ['log', 'store']

/** Whether there is a log to look at, and whether a process has the folder now. Throws `FOLDER_WITHOUT_LOG`. */
export async function checkFolder(folder: string, findings: Findings): Promise<{ running: boolean }> {
  let names: readonly string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    throw new MillraceError('FOLDER_WITHOUT_LOG', { folder }, { cause: error })
  }
  if (!names.includes('log')) throw new MillraceError('FOLDER_WITHOUT_LOG', { folder })
  const holder = await holderOf(join(folder, 'log', 'lock'))
  if (holder === null) findings.ok('folder', `${folder}: no process has it open`)
  else if (holder === 'stale') {
    const hint = 'Nothing to do: the next start takes the lock over.'
    findings.warn('folder', `${folder}: the process that had it open died without closing it`, hint)
  } else findings.ok('folder', `${folder}: process ${holder} has it open; looked at beside it`)
  for (const name of names) {
    if (known.includes(name)) continue
    const old = name === 'state'
    const what = old ? 'holds a state of release 0.1.0' : `holds "${name}", which is nothing of a data folder`
    const why = old ? 'It is not read any more: the state is rebuilt from the log. ' : ''
    findings.warn('folder', `${folder} ${what}`, `${why}It may be deleted.`)
  }
  return { running: typeof holder === 'number' }
}
