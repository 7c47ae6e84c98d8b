import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

export type Killing = {
  /** Written by the child after each piece of work that was acknowledged. A machine of any speed gets so many of them. */
  readonly rounds: number
  /** How long after the last of them it is killed. */
  readonly afterMs: number
}

/** What a child writes after a piece of work. */
export const roundDone = 'round\n'

/** Runs a script of this folder in a process of its own, and kills it in the middle of its work. */
export async function runAndKill(script: string, args: readonly string[], { rounds, afterMs }: Killing): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'millrace-kill-compiled'), NODE_TEST_CONTEXT: '' },
  })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const exit = once(child, 'exit')
  const enough = Promise.withResolvers<void>()
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (output.length >= roundDone.length * rounds) enough.resolve()
  })
  await Promise.race([enough.promise, exit])
  await sleep(afterMs)
  child.kill('SIGKILL')
  assert.deepEqual(await exit, [null, 'SIGKILL'], `the child ended by itself: ${complaint}`)
}
