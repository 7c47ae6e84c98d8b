/** Looks for planted bugs: each in a process of its own, whose sources have it. */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type BatchResult, runSeed } from './batch.ts'
import type { Mutant } from './mutants.ts'
import { Sometimes } from './sometimes.ts'

export type Found = {
  readonly name: string
  /** How many it took; null when it was not found. */
  readonly seeds: number | null
  /** What it broke. */
  readonly property: string
}

export type Hunt = {
  readonly from: number
  readonly seedsMax: number
  readonly jobs: number
  readonly onFound?: (found: Found) => void
}

/** In the order in which they were given. */
export async function huntAll(mutants: readonly Mutant[], { from, seedsMax, jobs, onFound }: Hunt): Promise<Found[]> {
  const results: Found[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let index = next++; index < mutants.length; index = next++) {
      const found = await hunt(mutants[index]!, from, seedsMax)
      results[index] = found
      onFound?.(found)
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  return results
}

/** A seed that fails without the bug as well says nothing of it: the hunt goes on behind it. */
async function hunt(mutant: Mutant, from: number, seedsMax: number): Promise<Found> {
  for (let tried = 0; tried < seedsMax; ) {
    const { seeds, failures } = await runWith(mutant, from + tried, seedsMax - tried)
    tried += seeds
    const [failure] = failures
    if (failure === undefined) continue
    const { violation } = await runSeed(failure.seed, { sometimes: new Sometimes(), twice: false })
    if (violation === null) return { name: mutant.name, seeds: tried, property: failure.property }
  }
  return { name: mutant.name, seeds: null, property: '' }
}

async function runWith({ name }: Mutant, from: number, seeds: number): Promise<BatchResult> {
  const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
  const args = ['--conditions=millrace-source', '--import', path('mutant-hook.ts'), path('main.ts'), '--json']
  const child = spawn(process.execPath, [...args, '--from', String(from), '--seeds', String(seeds)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SIMULATION_MUTANT: name },
  })
  const text = { output: '', errors: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    text.output += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    text.errors += chunk.toString()
  })
  await new Promise((resolve) => child.on('close', resolve))
  if (text.output === '') throw new Error(`mutant "${name}": the process ended without a result\n${text.errors}`)
  return JSON.parse(text.output) as BatchResult
}
