/** Looks for bugs planted in the protocol of a cluster: each in a process of its own, whose sources have it. */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Mutant } from '../mutants.ts'
import { clusterMutants } from './mutants.ts'

export type Found = { readonly name: string; readonly seeds: number | null; readonly property: string }

export async function huntClusterMutants(from: number, seeds: number, of = clusterMutants): Promise<Found[]> {
  const found: Found[] = []
  for (const mutant of of) found.push(await hunt(mutant, from, seeds))
  return found
}

async function hunt({ name }: Mutant, from: number, seeds: number): Promise<Found> {
  const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
  const args = ['--conditions=millrace-source', '--import', path('../mutant-hook.ts'), path('main.ts'), '--json']
  const child = spawn(process.execPath, [...args, '--from', String(from), '--seeds', String(seeds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, SIMULATION_MUTANT: name },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  await new Promise((resolve) => child.on('close', resolve))
  if (output === '') throw new Error(`mutant "${name}": the process ended without a result`)
  const result = JSON.parse(output) as { seeds: number; failed: { property: string } | null }
  if (result.failed === null) return { name, seeds: null, property: '' }
  return { name, seeds: result.seeds, property: result.failed.property }
}
