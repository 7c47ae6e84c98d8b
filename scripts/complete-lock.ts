/**
 * Adds to package-lock.json the optional platform packages that npm left out.
 *
 * npm writes only those platform packages that the registry it talked to serves. Where that registry
 * has no macOS or Windows builds, `npm ci` fails with "Missing … from lock file", and other platforms
 * get no native binaries. An entry with name, version, os and cpu is all that `npm ci` needs.
 */
import { readFileSync, writeFileSync } from 'node:fs'

type Entry = {
  version?: string
  optional?: boolean
  dev?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

const file = 'package-lock.json'
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Entry> }
const platform = /(darwin|win32|android|linux|freebsd)(?:32|64)?-(arm64|x64|arm|ia32)(-musl)?/

let added = 0
for (const entry of Object.values({ ...lock.packages })) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`
    if (lock.packages[key] !== undefined || !/^\d/.test(version)) continue
    const match = platform.exec(name)
    lock.packages[key] = {
      version,
      optional: true,
      ...(entry.dev === undefined ? {} : { dev: entry.dev }),
      os: [match?.[1] ?? 'none'],
      cpu: [match?.[2] ?? 'none'],
      ...(match?.[3] === undefined ? {} : { libc: ['musl'] }),
    }
    added += 1
  }
}
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`package-lock.json: ${added} platform packages added`)
