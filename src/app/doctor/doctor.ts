import { join, resolve } from 'node:path'
import { type Clock, systemClock } from '../../base/clock.ts'
import { messageOf, MillraceError } from '../../base/faults.ts'
import { nodeFileSystem } from '../../log/embedded/node-file-system.ts'
import { readLogId } from '../../log/embedded/topic-file.ts'
import type { Log } from '../../log/log.ts'
import type { Plan } from '../../plan/plan.ts'
import { Registry } from '../../registry/registry.ts'
import { durableEndsOf } from '../checkpoint-ends.ts'
import { openReadOnlyLog } from '../inspect-folder.ts'
import { compilePlan } from '../load-plan.ts'
import { checkEntries } from './check-entries.ts'
import { checkFolder } from './check-folder.ts'
import { checkLaws } from './check-laws.ts'
import { checkLog } from './check-log.ts'
import { checkOffsets } from './check-offsets.ts'
import { checkRejections } from './check-rejections.ts'
import { openStore } from './check-store.ts'
import type { Examined } from './examined.ts'
import { type CheckProgress, type Finding, Findings } from './finding.ts'
import { checkReplay } from './replay.ts'
import { readingSchemas } from '../schemas/log-with-schemas.ts'

export type DoctorOptions = {
  readonly folder: string
  /** Of the definitions at hand. Those that the folder's registry holds are looked up there. */
  readonly plan?: Plan
  /** Computes every state anew from the log as well, in memory, and compares the bytes. */
  readonly deep?: boolean
  readonly clock?: Clock
  readonly onProgress?: (progress: CheckProgress) => void
  /** Told of each finding at once. */
  readonly onFinding?: (finding: Finding) => void
}

export type Diagnosis = {
  readonly folder: string
  /** No fault was found. Warnings may have been. */
  readonly healthy: boolean
  readonly findings: readonly Finding[]
}

/**
 * Checks a data folder, and changes nothing, whether a process runs in it or not. What is compared is one checkpoint of
 * the store, and the log as it is after that was read: at or beyond what the checkpoint knows.
 *
 * Throws `FOLDER_WITHOUT_LOG`; whatever else is wrong is a finding.
 */
export async function examineFolder(options: DoctorOptions): Promise<Diagnosis> {
  const { clock = systemClock, onProgress = () => undefined, onFinding = () => undefined } = options
  const folder = resolve(options.folder)
  const findings = new Findings(onFinding)
  const { running } = await checkFolder(folder, findings)
  const found = await openStore({ folder, logId: await logIdOf(folder) }, findings)
  try {
    const checkpoint = found?.checkpoint ?? null
    const durableEnds = durableEndsOf(checkpoint)
    const audit = await checkLog({ folder, running, durableEnds, onProgress }, findings)
    const log = await tryToRead(folder, clock, findings)
    try {
      const plans = [...(options.plan === undefined ? [] : [options.plan]), ...(await registeredPlans(log, findings))]
      if (found === null || checkpoint === null) return { folder, healthy: findings.healthy, findings: findings.all }
      const examined: Examined = {
        checkpoint,
        store: found.store,
        log: log === null ? null : readingSchemas(log, plans, clock),
        plans,
        onProgress,
      }
      checkOffsets(checkpoint, audit, findings)
      checkEntries(examined, findings)
      checkLaws(checkpoint, audit, findings)
      if (log !== null) await checkRejections(checkpoint, log, findings)
      if (options.deep === true) await checkReplay(examined, findings)
    } finally {
      await log?.close()
    }
  } finally {
    await found?.store.close()
  }
  return { folder, healthy: findings.healthy, findings: findings.all }
}

async function logIdOf(folder: string): Promise<string | null> {
  try {
    return await readLogId(nodeFileSystem, join(folder, 'log'))
  } catch (error) {
    // The audit of the log will say so.
    if (error instanceof MillraceError) return null
    throw error
  }
}

async function tryToRead(folder: string, clock: Clock, findings: Findings): Promise<Log | null> {
  try {
    return await openReadOnlyLog(folder, clock)
  } catch (error) {
    const hint = error instanceof MillraceError ? error.hint : 'Check the permissions of the folder.'
    // Where the audit has found the reason, it needs no second line.
    if (findings.healthy) findings.fault('log', `it does not open: ${messageOf(error)}`, hint)
    return null
  }
}

async function registeredPlans(log: Log | null, findings: Findings): Promise<readonly Plan[]> {
  if (log === null) return []
  try {
    const registry = await Registry.open({ log, compile: compilePlan })
    if (registry.number > 0)
      findings.ok('registry', `version ${registry.number} of the definitions is the last applied`)
    return registry.versions.map(({ number }) => registry.compiled(number).plan)
  } catch (error) {
    const hint = error instanceof MillraceError ? error.hint : 'Restore the folder from a backup.'
    findings.fault('registry', messageOf(error), hint)
    return []
  }
}
