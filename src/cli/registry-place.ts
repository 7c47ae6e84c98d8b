import type { Command } from 'commander'
import type { RegistryState } from '../app/versions.ts'
import { systemClock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import { type Answer, request } from './http.ts'
import { endProgressLine, faultIn, makeProgressLine, print, printRefusal } from './output.ts'

/** Where versions are: behind the address of a running millrace, or in a data folder. */
export type RegistryPlace = { readonly url: string } | { readonly folder: string }

/** Which of the two was meant: what was typed, else what the environment says, else the folder. */
export function registryPlace(command: Command): RegistryPlace {
  const { url, folder } = command.opts<{ url: string; folder: string }>()
  const [urlFrom, folderFrom] = [command.getOptionValueSource('url'), command.getOptionValueSource('folder')]
  if (urlFrom === 'cli' && folderFrom === 'cli') {
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: 'both --url and --folder are given',
      allowed: 'Give --url for a running millrace, or --folder for a data folder.',
    })
  }
  if (folderFrom === 'cli') return { folder }
  return urlFrom === 'cli' || urlFrom === 'env' ? { url } : { folder }
}

/**
 * Runs `inFolder`; where a process has the folder, and nobody typed its name, `remotely` at the address that a running
 * millrace has by default.
 */
export async function applyAt(
  command: Command,
  { remotely, inFolder }: { remotely: (url: string) => Promise<void>; inFolder: (folder: string) => Promise<void> },
): Promise<void> {
  const place = registryPlace(command)
  if ('url' in place) return await remotely(place.url)
  try {
    await inFolder(place.folder)
  } catch (error) {
    const inUse = error instanceof MillraceError && error.code === 'FOLDER_IN_USE'
    if (!inUse || command.getOptionValueSource('folder') === 'cli') throw error
    await remotely(command.opts<{ url: string }>().url)
  }
}

/** The state of a running millrace's versions. Null: it refused, and that was printed. */
export async function fetchState(url: string): Promise<RegistryState | null> {
  return accepted<RegistryState>(await request(url, '/v1/registry', null))
}

/** The body of an answer; null when it is a refusal, which is printed. */
export function accepted<Body>({ status, body }: Answer): Body | null {
  if (status === 200) return body as Body
  process.exitCode = 1
  printRefusal(faultIn(body))
  return null
}

const lookMs = 200

/** Follows a running millrace until a version is served, or given up for a later one. */
export async function untilServed(url: string, number: number): Promise<void> {
  const showProgress = makeProgressLine()
  for (;;) {
    const state = await fetchState(url)
    if (state === null) return
    const { applied, serving, building, fault } = state
    if (serving.number === number || applied.number !== number || fault !== null) {
      endProgressLine()
      if (fault !== null && serving.number !== number) {
        process.exitCode = 1
        printRefusal({ code: 'error', message: fault, hint: `Version ${serving.number} is served as before.` })
      } else print(serving.number === number ? servedText(number) : `version ${applied.number} was applied meanwhile`)
      return
    }
    if (building !== null) showProgress({ phase: `building version ${number}`, ...building })
    await systemClock.sleep(lookMs)
  }
}

export function servedText(number: number): string {
  return `version ${number} is served`
}
