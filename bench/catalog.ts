import { readdir } from 'node:fs/promises'
import type { Bench } from './harness.ts'

/** The files of this folder that export what a benchmark exports, by name. */
export async function allBenches(): Promise<readonly Bench[]> {
  const found: Bench[] = []
  for (const file of (await readdir(new URL('.', import.meta.url))).toSorted()) {
    if (!file.endsWith('.ts') || file === 'main.ts') continue
    const exported: unknown = await import(new URL(file, import.meta.url).href)
    if (isBench(exported)) found.push(exported)
  }
  return found
}

function isBench(exported: unknown): exported is Bench {
  const { name: title, describe, run } = exported as Partial<Bench>
  return typeof title === 'string' && typeof describe === 'string' && typeof run === 'function'
}
