import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const project = join(import.meta.dirname, 'kafka-streams')

/** Under the project's root, and ignored by git. */
const built = join(import.meta.dirname, '..', '..', '.millrace', 'kafka-streams')

export const kafkaStreamsVersion = /kafka-streams<\/artifactId>\s*<version>([^<]+)/.exec(pomText())![1]!

export type PeerOrder = {
  readonly brokers: string
  /** Of the application: its group, and what its topics are called. */
  readonly name: string
  readonly input: string
  /** Its results go to this name with `-customers` and `-terminals` after it. */
  readonly output: string
  readonly state: string
  readonly topology: 'exact' | 'sliding'
  readonly threads: number
  readonly commitMs: number
  readonly lingerMs: number
}

/** Command and arguments of the peer, which is built when it is not there. */
export async function kafkaStreamsCommand(order: PeerOrder): Promise<readonly string[]> {
  const jars = await build()
  // A heap with much room, and the collector that costs least where pauses do not matter.
  const options = ['-Xmx1500m', '-Xms512m', '-XX:+UseParallelGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn']
  const settings = Object.entries(order).map(([name, value]) => `${name}=${value}`)
  return ['java', ...options, '-cp', join(jars, '*'), 'millrace.peer.Main', ...settings]
}

/** The folder with the jars of what is in `kafka-streams/`, from Maven. */
async function build(): Promise<string> {
  const hash = createHash('sha256').update(pomText())
  for (const file of globSync('src/**/*.java', { cwd: project }).toSorted())
    hash.update(readFileSync(join(project, file)))
  const folder = join(built, hash.digest('hex').slice(0, 12))
  if (existsSync(folder)) return folder
  const making = `${folder}-making`
  await mkdir(making, { recursive: true })
  const jars = join(making, 'jars')
  const goals = ['package', 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}`]
  await run('mvn', ['-B', '-q', '-f', join(project, 'pom.xml'), `-DbuildFolder=${making}`, ...goals])
  await rename(join(making, 'kafka-streams-peer.jar'), join(jars, 'kafka-streams-peer.jar'))
  await rename(jars, folder)
  await rm(making, { recursive: true })
  return folder
}

function pomText(): string {
  return readFileSync(join(project, 'pom.xml'), 'utf8')
}
