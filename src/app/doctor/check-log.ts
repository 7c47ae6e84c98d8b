import { join, relative } from 'node:path'
import { auditLog, type LogAudit, sizeOfLog } from '../../log/embedded/audit.ts'
import type { DurableEnds } from '../../log/embedded/end-mark.ts'
import { nodeFileSystem } from '../../log/embedded/node-file-system.ts'
import type { CheckProgress, Findings } from './finding.ts'

export type LogCheck = {
  readonly folder: string
  readonly running: boolean
  /** What a checkpoint has seen. */
  readonly durableEnds: DurableEnds
  readonly onProgress: (progress: CheckProgress) => void
}

/** Every byte of the log. */
export async function checkLog(check: LogCheck, findings: Findings): Promise<LogAudit> {
  const folder = join(check.folder, 'log')
  const place = { folder, fileSystem: nodeFileSystem }
  const total = await sizeOfLog(place)
  const audit = await auditLog({
    ...place,
    running: check.running,
    durableEnds: check.durableEnds,
    onProgress: (done) => check.onProgress({ phase: 'checking the log, bytes', done, total }),
  })
  for (const { status, where, what, hint } of audit.findings) {
    findings.add({ check: 'log', status, what: `${relative(check.folder, where)}: ${what}`, hint })
  }
  for (const { topic, partitions } of audit.topics) {
    const inside = audit.partitions.filter((one) => one.topic === topic)
    const records = inside.reduce((sum, { start, end }) => sum + Math.max(0, end - start), 0)
    const bytes = inside.reduce((sum, one) => sum + one.bytes, 0)
    const segments = inside.reduce((sum, one) => sum + one.segments, 0)
    if (inside.some((one) => one.findings.some(({ status }) => status === 'fault'))) continue
    const size = `${counted(segments, 'segment')}, ${counted(bytes, 'byte')}`
    findings.ok('log', `${topic}: ${counted(records, 'record')} in ${counted(partitions, 'partition')}, ${size}`)
  }
  return audit
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
