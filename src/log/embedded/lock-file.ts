import { createHash, randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import { reach } from '../../base/crash-points.ts'
import { MillraceError } from '../../base/faults.ts'
import { type FileLock, isMissing } from './file-system.ts'

/**
 * Takes a file as a lock for this process.
 *
 * 1. Write who we are to a draft beside it, and link the draft to the lock's name: that succeeds for one process only,
 *    and no one ever sees a lock that is half written.
 * 2. When the name is taken by a process that is dead, link the draft to a *claim*, a name made from what the dead one
 *    wrote. Only one process gets to claim each lock. If the claimant is dead as well, claim its claim, and so on.
 * 3. Look again: unless the lock still leads to our claim, another claimant has finished meanwhile, and ours is void.
 * 4. Move the draft over the lock, and remove the claims.
 *
 * No step removes or replaces what a living process wrote, however many find the same dead lock at the same time.
 *
 * A process is the same one only if it started at the same time, where the system tells (`/proc`): process ids come
 * round again, and in a container they are always the same. Processes that cannot see each other, on two machines or in
 * two containers with one folder between them, are not kept apart by this.
 */
export async function lockFile(path: string): Promise<FileLock> {
  const startedAt = (await readProcess(process.pid))?.startedAt ?? null
  const nonce = randomUUID()
  const mine = JSON.stringify({ pid: process.pid, startedAt, nonce })
  const draft = `${path}.${nonce}`
  await writeFile(draft, mine)
  reach('lock.drafted')
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if ((await linkIfFree(draft, path)) || (await takeOver({ path, draft, mine }))) {
        reach('lock.linked')
        return { release: () => removeIfEqual(path, mine) }
      }
    }
  } finally {
    await rm(draft, { force: true })
  }
  throw new MillraceError('FOLDER_IN_USE', { folder: dirname(path), pid: 'unknown' })
}

/** The process that holds a lock; `'stale'` when the one that took it is dead, null when nobody has taken it. */
export async function holderOf(path: string): Promise<number | 'stale' | null> {
  const last = (await readChain(path)).at(-1)
  return last === undefined ? null : ((await findLivingHolder(last)) ?? 'stale')
}

/** True when the lock is ours now, false when it changed hands meanwhile. Throws when its holder lives. */
async function takeOver({ path, draft, mine }: { path: string; draft: string; mine: string }): Promise<boolean> {
  const chain = await readChain(path)
  const last = chain.at(-1)
  if (last === undefined) return false
  const pid = await findLivingHolder(last)
  if (pid !== null) throw new MillraceError('FOLDER_IN_USE', { folder: dirname(path), pid })
  const claim = claimPath(path, last)
  if (!(await linkIfFree(draft, claim))) return false
  reach('lock.claimed')
  const now = await readChain(path)
  if (now.length !== chain.length + 1 || !now.every((content, place) => content === (chain[place] ?? mine))) {
    await unlink(claim)
    return false
  }
  await rename(draft, path)
  reach('lock.moved')
  for (const content of chain) await unlink(claimPath(path, content))
  reach('lock.taken-over')
  return true
}

/** What the lock holds, then its claim, then the claim of that one, as far as they go. */
async function readChain(path: string): Promise<readonly string[]> {
  const chain: string[] = []
  let content = await readIfThere(path)
  while (content !== null) {
    chain.push(content)
    content = await readIfThere(claimPath(path, content))
  }
  return chain
}

function claimPath(path: string, content: string): string {
  return `${path}.after-${createHash('sha256').update(content).digest('hex').slice(0, 32)}`
}

const attemptsMax = 20

/** The process that holds the lock, or null when it is dead. A lock nobody can read outlived a power cut. */
async function findLivingHolder(held: string): Promise<number | null> {
  const holder = parseHolder(held)
  if (holder === null) return null
  const found = await readProcess(holder.pid)
  if (found === null) return signalReaches(holder.pid) ? holder.pid : null
  // A killed process whose parent has not fetched its exit status writes nothing any more.
  if (found.state === 'Z' || found.state === 'X') return null
  return holder.startedAt === null || holder.startedAt === found.startedAt ? holder.pid : null
}

function parseHolder(held: string): { pid: number; startedAt: string | null } | null {
  let value: unknown
  try {
    value = JSON.parse(held)
  } catch {
    // Not JSON: cut by a power failure, since a living process never leaves a partial lock.
    return null
  }
  if (typeof value !== 'object' || value === null || !('pid' in value) || !('startedAt' in value)) return null
  const { pid, startedAt } = value
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid < 1) return null
  return { pid, startedAt: typeof startedAt === 'string' ? startedAt : null }
}

/** State and start time of a process from `/proc/<pid>/stat`, or null when there is no such file. */
async function readProcess(pid: number): Promise<{ state: string; startedAt: string } | null> {
  const stat = await readIfThere(`/proc/${pid}/stat`)
  if (stat === null) return null
  // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startedAt] = [fields[0], fields[19]]
  return state === undefined || startedAt === undefined ? null : { state, startedAt }
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Without the right to signal it, it exists all the same.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

async function linkIfFree(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    // ESRCH: the process ended between opening its file in /proc and reading it.
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ESRCH')) return null
    throw error
  }
}

async function removeIfEqual(path: string, content: string): Promise<void> {
  if ((await readIfThere(path)) !== content) return
  reach('lock.releasing')
  await unlink(path)
  reach('lock.released')
}
