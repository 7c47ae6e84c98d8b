import { readFile } from 'node:fs/promises'
import { MillraceError, messageOf } from '../../base/faults.ts'
import type { Distribution } from '../../model/quality/drift.ts'

/** How the columns of a training set were spread, by name, as its manifest says. Throws `REQUEST_MALFORMED`. */
export async function readTraining(file: string | URL | null): Promise<ReadonlyMap<string, Distribution>> {
  if (file === null) return new Map()
  let manifest: { readonly features?: readonly { readonly name: string; readonly spread?: Distribution | null }[] }
  try {
    manifest = JSON.parse(await readFile(file, 'utf8')) as typeof manifest
  } catch (error) {
    const detail = `${String(file)} cannot be read as a manifest: ${messageOf(error)}`
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: 'Give the FILE.manifest.json of a training set.' })
  }
  const features = (manifest.features ?? []).filter(({ spread }) => spread !== undefined && spread !== null)
  if (features.length === 0) {
    const detail = `${String(file)} does not say how the features are spread`
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: 'Build the training set anew with this release.' })
  }
  return new Map(features.map(({ name, spread }) => [name, spread!]))
}
