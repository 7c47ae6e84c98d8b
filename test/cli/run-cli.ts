import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const main = join(import.meta.dirname, '../../src/cli/main.ts')

// Some fifty processes load the same sources: what the first one compiled, the others find here.
const compiled = mkdtempSync(join(tmpdir(), 'millrace-compiled-'))
process.on('exit', () => rmSync(compiled, { recursive: true, force: true }))

const environment = {
  ...process.env,
  NO_COLOR: '1',
  NODE_COMPILE_CACHE: compiled,
  MILLRACE_URL: undefined,
  MILLRACE_FOLDER: undefined,
}

export type Finished = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

/** Runs the real command line in a process of its own, with what it reads from standard input and the environment. */
export async function runCli(
  args: readonly string[],
  input = '',
  more: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const child = start(args, more)
  child.stdin!.end(input)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')])
  return { code: code as number | null, stdout, stderr }
}

export type Dev = {
  readonly address: string
  readonly process: ChildProcess
  /** Resolves when this text was printed. Rejects when the process ends without it. */
  printed(part: string): Promise<void>
  /** Resolves when the process has ended, with everything it printed. */
  readonly finished: Promise<Finished>
}

/** Starts `millrace dev` on a free port; resolves when it takes requests. */
export async function startDev(args: readonly string[]): Promise<Dev> {
  return await startServer('dev', args)
}

export async function startServer(command: 'dev' | 'start', args: readonly string[]): Promise<Dev> {
  const child = start([command, ...args, '--port', '0'])
  let stdout = ''
  let stderr = ''
  child.stdout!.setEncoding('utf8').on('data', (part: string) => (stdout += part))
  child.stderr!.setEncoding('utf8').on('data', (part: string) => (stderr += part))
  const finished = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  const printed = async (part: string): Promise<void> => {
    while (!stdout.includes(part)) {
      const ended = await Promise.race([once(child.stdout!, 'data').then(() => false), finished.then(() => true)])
      if (ended && !stdout.includes(part))
        assert.fail(`${command} ended without printing "${part}":\n${stdout}${stderr}`)
    }
  }
  await printed('/metrics')
  return { address: /^millrace (\S+)/m.exec(stdout)![1]!, process: child, printed, finished }
}

/** Starts the real command line; whoever calls it looks after it. */
export function start(args: readonly string[], more: Readonly<Record<string, string>> = {}): ChildProcess {
  // One that hangs fails its test, and does not outlive it.
  const options = { env: { ...environment, ...more }, timeout: 120_000, killSignal: 'SIGKILL' } as const
  return spawn(process.execPath, ['--conditions=millrace-source', main, ...args], options)
}
