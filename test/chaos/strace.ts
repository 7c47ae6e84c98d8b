import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'

/** Why system calls cannot be made to fail here; null when they can. */
export function straceMissing(): string | null {
  const probe = spawnSync('strace', ['-qq', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO', 'true'])
  if (probe.error !== undefined) return 'strace is not installed'
  return probe.status === 0 ? null : `strace may not trace here: ${probe.stderr.toString().trim()}`
}

const errors = [
  { calls: 'fdatasync', code: 'EIO', from: 10, to: 120 },
  { calls: 'fdatasync', code: 'EIO', from: 10, to: 120 },
  { calls: 'fsync', code: 'EIO', from: 1, to: 14 },
  { calls: 'pwrite64,writev', code: 'EIO', from: 10, to: 250 },
  { calls: 'pwrite64,writev', code: 'ENOSPC', from: 10, to: 250 },
] as const

/**
 * Runs a process so that one of its system calls fails: in LMDB alone, or in the log and LMDB, whichever comes to it
 * first. strace counts the calls of each thread; with one thread for files there is one count.
 */
export function straceCommand(
  folder: string,
  random: () => number,
): { readonly under: readonly string[]; readonly environment: Readonly<Record<string, string>> } {
  const { calls, code, from, to } = errors[Math.floor(random() * errors.length)]!
  const [database] = random() < 0.5 ? globSync(join(folder, '**/data.mdb')) : []
  const only = database === undefined || calls === 'fsync' ? [] : ['-P', database]
  const range = only.length === 0 ? [from, to] : [1, 1 + (to - from) / 3]
  const nth = Math.floor(range[0]! + random() * (range[1]! - range[0]!))
  // A disk that is full stays full.
  const when = code === 'ENOSPC' ? `${nth}+` : `${nth}`
  const inject = `inject=${calls}:error=${code}:when=${when}`
  const under = [
    'strace',
    '-f',
    '--seccomp-bpf',
    '-qq',
    '-o',
    '/dev/null',
    ...only,
    '-e',
    `trace=${calls}`,
    '-e',
    inject,
  ]
  return { under, environment: { UV_THREADPOOL_SIZE: '1' } }
}

/** lmdb-js after a page that could not be written: sometimes its heap is corrupt, and the process aborts. */
export function isStoreAbort({ signal, complaint }: { signal: string | null; complaint: string }): boolean {
  return (signal === 'SIGABRT' || signal === 'SIGSEGV') && complaint.includes('Write error: ')
}
