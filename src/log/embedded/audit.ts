import type { TopicDescription } from '../log.ts'
import { type LogFinding, removableHint, restoreHint, stray, tryTo } from './audit-finding.ts'
import { auditPartition, type PartitionAudit } from './audit-partition.ts'
import { type DurableEnds, joinEnds, readEndMark } from './end-mark.ts'
import { type File, type FileSystem, isMissing } from './file-system.ts'
import { partitionFolder, readLogId, readTopicFile, topicFolder } from './topic-file.ts'

export type LogAudit = {
  /** Null when it could not be read. */
  readonly id: string | null
  readonly topics: readonly TopicDescription[]
  readonly partitions: readonly PartitionAudit[]
  /** Of all segments. */
  readonly bytes: number
  readonly findings: readonly LogFinding[]
}

export type AuditOptions = {
  readonly folder: string
  /** Only read from. */
  readonly fileSystem: FileSystem
  /** Whether a process may be writing the log meanwhile: then a torn tail is a write under way. */
  readonly running: boolean
  /** Ends that are known from elsewhere, such as a checkpoint. */
  readonly durableEnds?: DurableEnds
  readonly onProgress?: (bytes: number) => void
}

/**
 * Reads every byte of a log and says what is wrong, without changing anything: also where opening would stop at the
 * first fault, or would repair.
 */
export async function auditLog(options: AuditOptions): Promise<LogAudit> {
  const { folder, fileSystem } = options
  const findings: LogFinding[] = []
  const id = await readId(options, findings)
  const marked = id === null ? new Map() : await tryTo(findings, folder, () => readEndMark(fileSystem, folder, id))
  const ends = joinEnds(marked ?? new Map(), options.durableEnds ?? new Map())
  const topics = await readTopics(options, findings)
  for (const [topic, known] of ends) {
    const partitions = topics.find((one) => one.topic === topic)?.partitions ?? 0
    if (partitions >= known.length || known.every((end: number) => end === 0)) continue
    const what = `topic "${topic}" held records in ${known.length} partitions, and has ${partitions} now`
    findings.push({ status: 'fault', where: topicFolder(folder, topic), what, hint: restoreHint })
  }
  const partitions: PartitionAudit[] = []
  let bytes = 0
  for (const description of topics) {
    findings.push(...(await strayInTopic(options, description)))
    for (let partition = 0; partition < description.partitions; partition++) {
      const place = { topic: description.topic, partition, retentionMs: description.retentionMs }
      const audited = await auditPartition({
        ...place,
        folder: partitionFolder(folder, description.topic, partition),
        fileSystem,
        running: options.running,
        durableEnd: ends.get(description.topic)?.[partition] ?? 0,
        onProgress: (part) => options.onProgress?.(bytes + part),
      })
      bytes += audited.bytes
      partitions.push(audited)
      findings.push(...audited.findings)
    }
  }
  findings.push(...(await strayInLog(options)))
  return { id, topics, partitions, bytes, findings }
}

/** The sum of the sizes of all segments: what an audit reads. */
export async function sizeOfLog({ folder, fileSystem }: Pick<AuditOptions, 'folder' | 'fileSystem'>): Promise<number> {
  let bytes = 0
  for (const topic of await namesIn(fileSystem, `${folder}/topics`)) {
    for (const partition of await namesIn(fileSystem, topicFolder(folder, topic))) {
      const inside = `${topicFolder(folder, topic)}/${partition}`
      for (const name of await namesIn(fileSystem, inside)) {
        if (name.endsWith('.log')) bytes += await sizeOf(fileSystem, `${inside}/${name}`)
      }
    }
  }
  return bytes
}

async function readId({ folder, fileSystem }: AuditOptions, findings: LogFinding[]): Promise<string | null> {
  const file = `${folder}/log.json`
  const id = await tryTo(findings, file, async () => {
    return await readLogId(fileSystem, folder)
  })
  if (id === null) {
    findings.push({ status: 'fault', where: file, what: 'it is missing: the log has lost its id', hint: restoreHint })
  }
  return id ?? null
}

/** Every topic whose description can be read; the faults of the others are found. */
async function readTopics({ folder, fileSystem }: AuditOptions, findings: LogFinding[]): Promise<TopicDescription[]> {
  const topics: TopicDescription[] = []
  const names = await tryTo(findings, `${folder}/topics`, () => fileSystem.list(`${folder}/topics`))
  for (const name of [...(names ?? [])].sort()) {
    const where = topicFolder(folder, name)
    const description = await tryTo(findings, where, () => readTopicFile(fileSystem, folder, name))
    if (description === null) {
      const what = `"${name}" has no topic.json: a topic that was never finished, or something else`
      findings.push({ status: 'warning', where, what, hint: `The log takes no notice of it. ${removableHint}` })
    } else if (description !== undefined) topics.push(description)
  }
  return topics
}

async function strayInTopic({ folder, fileSystem }: AuditOptions, topic: TopicDescription): Promise<LogFinding[]> {
  const inside = topicFolder(folder, topic.topic)
  const expected = new Set(['topic.json', ...Array.from({ length: topic.partitions }, (_, index) => String(index))])
  return stray(inside, await namesIn(fileSystem, inside), (name) => expected.has(name))
}

async function strayInLog({ folder, fileSystem, running }: AuditOptions): Promise<LogFinding[]> {
  const expected = new Set(['log.json', 'ends.json', 'topics', 'lock'])
  // Whoever takes the lock, or closes the log, has drafts for a moment.
  const passing = (name: string): boolean => running && /^(lock\.|ends\.json\.draft$)/.test(name)
  return stray(folder, await namesIn(fileSystem, folder), (name) => expected.has(name) || passing(name))
}

async function namesIn(fileSystem: FileSystem, folder: string): Promise<readonly string[]> {
  try {
    return await fileSystem.list(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function sizeOf(fileSystem: FileSystem, path: string): Promise<number> {
  let file: File
  try {
    file = await fileSystem.open(path, 'read')
  } catch (error) {
    // Retention may take it away meanwhile.
    if (isMissing(error)) return 0
    throw error
  }
  try {
    return await file.sizeBytes()
  } finally {
    await file.close()
  }
}
