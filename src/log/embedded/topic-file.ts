import { reach } from '../../base/crash-points.ts'
import { MillraceError } from '../../base/faults.ts'
import type { TopicDescription } from '../log.ts'
import { type FileSystem, readWhole, writeAtomically, writeFileWhole } from './file-system.ts'

/**
 * A topic is a folder of its name under `topics/`, with a folder per partition and `topic.json`, which is written last:
 * a topic without it was never finished, and does not exist.
 */
export function topicFolder(logFolder: string, topic: string): string {
  return `${logFolder}/topics/${topic}`
}

export function partitionFolder(logFolder: string, topic: string, partition: number): string {
  return `${topicFolder(logFolder, topic)}/${partition}`
}

/** Every partition gets its first segment here, so that a folder without any is known to have lost it. */
export async function createTopicFiles(
  fileSystem: FileSystem,
  logFolder: string,
  description: TopicDescription,
): Promise<void> {
  reach('log.topic.begun')
  const folder = topicFolder(logFolder, description.topic)
  for (let partition = 0; partition < description.partitions; partition++) {
    const inside = partitionFolder(logFolder, description.topic, partition)
    await fileSystem.makeFolder(inside)
    await writeFileWhole(fileSystem, `${inside}/${'0'.repeat(20)}.log`, new Uint8Array(0))
    await fileSystem.syncFolder(inside)
    reach('log.topic.partition-made')
  }
  await fileSystem.syncFolder(folder)
  reach('log.topic.folder-synced')
  await writeTopicFile(fileSystem, logFolder, description)
  reach('log.topic.described')
  await fileSystem.syncFolder(`${logFolder}/topics`)
  reach('log.topic.made')
}

/** What a topic is, in one step: the old file or the new one. */
export async function writeTopicFile(
  fileSystem: FileSystem,
  logFolder: string,
  description: TopicDescription,
): Promise<void> {
  const content = Buffer.from(`${JSON.stringify({ version, ...description }, null, 2)}\n`)
  await writeAtomically(fileSystem, { folder: topicFolder(logFolder, description.topic), name: 'topic.json' }, content)
}

/** The finished topics of a log, by name. */
export async function readTopicFiles(fileSystem: FileSystem, logFolder: string): Promise<readonly TopicDescription[]> {
  const descriptions: TopicDescription[] = []
  for (const name of [...(await fileSystem.list(`${logFolder}/topics`))].sort()) {
    const description = await readTopicFile(fileSystem, logFolder, name)
    if (description !== null) descriptions.push(description)
  }
  return descriptions
}

/** What `topic.json` says, or null without one. */
export async function readTopicFile(
  fileSystem: FileSystem,
  logFolder: string,
  name: string,
): Promise<TopicDescription | null> {
  const file = `${topicFolder(logFolder, name)}/topic.json`
  const content = await readWhole(fileSystem, file)
  if (content === null) return null
  const description = parseDescription(file, content)
  if (description.topic !== name) throw damaged(file, `it names topic "${description.topic}"`)
  return description
}

const version = 1

function parseDescription(file: string, content: Uint8Array): TopicDescription {
  const value = parseVersioned(file, content, version)
  const { topic, partitions, retentionMs } = value
  if (typeof topic !== 'string' || typeof partitions !== 'number') throw damaged(file, 'it names no topic')
  if (retentionMs !== null && typeof retentionMs !== 'number') throw damaged(file, 'its retention is no number')
  return { topic, partitions, retentionMs }
}

export const logVersion = 1

/** The id of a log, from `log.json`; null when there is no such file. Throws `LOG_CORRUPT`, `LOG_VERSION_UNKNOWN`. */
export async function readLogId(fileSystem: FileSystem, folder: string): Promise<string | null> {
  const file = `${folder}/log.json`
  const content = await readWhole(fileSystem, file)
  if (content === null) return null
  const { id } = parseVersioned(file, content, logVersion)
  if (typeof id !== 'string' || id === '') throw damaged(file, 'it has no id')
  return id
}

/** The fields of a JSON file of ours. Throws `LOG_CORRUPT`, or `LOG_VERSION_UNKNOWN` for another release's. */
export function parseVersioned(
  file: string,
  content: Uint8Array,
  supported: number,
): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(content).toString('utf8'))
  } catch (error) {
    throw damaged(file, 'it is not JSON', { cause: error })
  }
  if (typeof value !== 'object' || value === null) throw damaged(file, 'it is no JSON object')
  const fields: Readonly<Record<string, unknown>> = { ...value }
  if (fields['version'] !== supported) {
    throw new MillraceError('LOG_VERSION_UNKNOWN', { file, version: String(fields['version']), supported })
  }
  return fields
}

export function damaged(file: string, detail: string, options?: ErrorOptions): MillraceError {
  return new MillraceError('LOG_CORRUPT', { file, position: 0, detail }, options)
}
