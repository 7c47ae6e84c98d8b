import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { missingForKafka } from '../kafka/jars.ts'

const run = promisify(execFile)

/** The last line of releases whose runnable form is on Maven Central; it speaks Confluent's API. */
const version = '2.6.13.Final'

/** Under the project's root, and ignored by git. */
const folder = join(import.meta.dirname, '..', '..', '.millrace', 'schema-registry')
const home = join(folder, version)

/** Why a registry cannot run here; null when it can. */
export async function missingForRegistry(): Promise<string | null> {
  return existsSync(home) ? null : await missingForKafka()
}

export type ApicurioRegistry = {
  /** Of Confluent's API. */
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

/** Starts Apicurio Registry with its schemas in memory, on a port of its own choice; from Maven Central the first time. */
export async function startApicurio(): Promise<ApicurioRegistry> {
  await fetchApicurio()
  const options = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-Dquarkus.http.host=127.0.0.1', '-Dquarkus.http.port=0']
  const jar = `apicurio-registry-app-${version}-runner.jar`
  const child = spawn('java', [...options, '-jar', jar], { cwd: home, stdio: ['ignore', 'pipe', 'ignore'] })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const address = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, found] = /Listening on: (http:\/\/[0-9.]+:\d+)/.exec(line) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`the registry ended with ${code} before it listened`)))
    child.once('error', reject)
  })
  return {
    url: `${await address}/apis/ccompat/v7`,
    pid: child.pid!,
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function fetchApicurio(): Promise<void> {
  if (existsSync(home)) return
  await mkdir(folder, { recursive: true })
  const fetched = await mkdtemp(join(folder, 'fetching-'))
  const artifact = `io.apicurio:apicurio-registry-app:${version}:tar.gz:all`
  const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'
  try {
    // `copy` alone asks for a project; `get` brings it from Central into Maven's own folder first.
    await run('mvn', ['-B', '-q', 'dependency:get', `-Dartifact=${artifact}`, '-Dtransitive=false'])
    await run('mvn', ['-B', '-q', copy, `-Dartifact=${artifact}`, `-DoutputDirectory=${fetched}`])
    const archive = join(fetched, `apicurio-registry-app-${version}-all.tar.gz`)
    await run('tar', ['xzf', archive, '-C', fetched])
    await rm(archive)
    // Whoever sees the final name sees all of it.
    await rename(fetched, home)
  } catch (error) {
    await rm(fetched, { recursive: true, force: true })
    if (existsSync(home)) return
    throw new Error(`Maven could not fetch Apicurio Registry: ${String(error)}`, { cause: error })
  }
}
