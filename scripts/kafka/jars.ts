import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const pom = join(import.meta.dirname, 'pom.xml')

/** Under the project's root, and ignored by git. */
export const kafkaFolder = join(import.meta.dirname, '..', '..', '.millrace', 'kafka')

/** Why a broker cannot run here, in words for who has to install something; null when it can. */
export async function missingForKafka(): Promise<string | null> {
  const java = await outputOf('java', ['-version'])
  if (java === null) return 'Java is missing: Apache Kafka 4 needs a Java runtime of version 17 or newer on PATH'
  const version = Number(/version "(\d+)/.exec(java)?.[1])
  if (version < 17) return `Java is too old: Apache Kafka 4 needs version 17 or newer, and PATH has ${version}`
  if (existsSync(jarsFolder())) return null
  if ((await outputOf('mvn', ['--version'])) === null) {
    return 'Maven is missing: `mvn` fetches the jars of Apache Kafka from Maven Central, once'
  }
  return null
}

/** The folder with the jars of `pom.xml`, fetched from Maven Central when they are not there yet. */
export async function fetchJars(say: (line: string) => void): Promise<string> {
  const folder = jarsFolder()
  if (existsSync(folder)) return folder
  say('fetching Apache Kafka from Maven Central (55 MB, once)')
  await mkdir(kafkaFolder, { recursive: true })
  // Into a folder of its own first: whoever sees the final name sees all the jars.
  const fetched = await mkdtemp(join(kafkaFolder, 'fetching-'))
  const goals = ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime']
  try {
    await run('mvn', [...goals, `-DoutputDirectory=${fetched}`], { maxBuffer: 16 * 1024 * 1024 })
    await rename(fetched, folder)
  } catch (error) {
    await rm(fetched, { recursive: true, force: true })
    // Another process was faster.
    if (existsSync(folder)) return folder
    throw new Error(`Maven could not fetch the jars of Apache Kafka: ${String(error)}`, { cause: error })
  }
  return folder
}

function jarsFolder(): string {
  const text = readFileSync(pom)
  return join(kafkaFolder, `jars-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`)
}

/** What a command prints, on either stream; null when it cannot be started. */
async function outputOf(command: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await run(command, args)
    return stdout + stderr
  } catch {
    return null
  }
}
