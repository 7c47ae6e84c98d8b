import { appendFileSync, copyFileSync, globSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CrashPoint } from '../../src/base/crash-points.ts'
import { noFaults, type ProcessFaults } from './process-faults.ts'

/** How a process comes to a crash point. */
export type CrashLife = {
  readonly faults: ProcessFaults
  /** Closes in peace after so long, for what is reached only then. */
  readonly closeAfterMs: number | null
  /** In which folder: one that no process has been in, one that is in use, or either. */
  readonly folder: 'new' | 'used' | 'any'
}

export function crashLife(point: CrashPoint, random: () => number): CrashLife {
  const made = /^log\.(id|topic|file)\.|^lock\.linked/.test(point)
  const once = /^log\.(id|recovery)\.|^lock\.|^store\.opened|^engine\.forget\.(found|mended)/.test(point)
  const seldom = needsChanges(point) || /^log\.(roll|index|retention)\.|^engine\.ids/.test(point)
  const most = once ? 1 : made ? 2 : seldom ? 3 : point.startsWith('log.group') ? 40 : 12
  return {
    faults: { ...noFaults, crash: { point, nth: 1 + Math.floor(random() * most) } },
    closeAfterMs: point.startsWith('lock.releas') ? 200 : null,
    folder: made ? 'new' : /^log\.recovery\.|^lock\.(claimed|moved|taken)/.test(point) ? 'used' : 'any',
  }
}

/** Whether it is reached only where definitions change and entities are forgotten. */
export function needsChanges(point: CrashPoint): boolean {
  return /^engine\.(track|gate|takeover|sweep|forget)\./.test(point)
}

/** Leaves in a folder what leads to a crash point, where that is rare by nature. False: there is not enough in it yet. */
export function leaveRemains(point: CrashPoint, folder: string): boolean {
  if (point === 'log.recovery.truncated') return tear(folder)
  if (point === 'log.recovery.resealed') return loseIndex(folder)
  if (point === 'log.recovery.orphan-removed') return orphanIndex(folder)
  return true
}

/** A write that was cut off: a few bytes after the newest segment. */
function tear(folder: string): boolean {
  const newest = globSync(join(folder, 'log/topics/payments.v1/0/*.log')).sort().at(-1)
  if (newest !== undefined) appendFileSync(newest, Buffer.alloc(100, 7))
  return newest !== undefined
}

function loseIndex(folder: string): boolean {
  const [index] = globSync(join(folder, 'log/topics/payments.v1/*/*.timeindex'))
  if (index !== undefined) rmSync(index)
  return index !== undefined
}

/** An index file of a segment that is not there any more. */
function orphanIndex(folder: string): boolean {
  const [index] = globSync(join(folder, 'log/topics/payments.v1/*/*.index'))
  if (index !== undefined) copyFileSync(index, join(dirname(index), `${'9'.repeat(20)}.index`))
  return index !== undefined
}
