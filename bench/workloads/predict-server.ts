/** A mill with models and its HTTP server in a process of its own, so that its CPU is not the load generator's. */
import { readFile } from 'node:fs/promises'
import { type Mill, millrace } from 'millrace'
import { declareModel } from '../../src/plan/model-declaration.ts'
import { boosted, boostedFile, fill, logisticFile, registered, scoring } from './cards.ts'
import { serveMill } from './serve-mill.ts'

process.once('message', (message) => {
  void start(message as { readonly folder: string })
})

async function start({ folder }: { readonly folder: string }): Promise<void> {
  const mill = await millrace({ definitions: [scoring], models: [boosted, ...registered], folder, partitions: 4 })
  await fill(mill, 8_000)
  await pushVersions(mill)
  await serveMill(mill)
}

/** Version 1 of each is the boosted trees and live; 2 is the logistic regression, or of `shadowed` the trees again. */
async function pushVersions(mill: Mill): Promise<void> {
  const [trees, regression] = await Promise.all([readFile(boostedFile), readFile(logisticFile)])
  const about = { metrics: {}, tags: {}, training: null, golden: null, source: null }
  for (const one of registered) {
    const description = { declaration: declareModel(one), ...about }
    const artefacts = one.name === 'alone' ? [trees] : [trees, one.name === 'shadowed' ? trees : regression]
    for (const artefact of artefacts) await mill.modelVersions.push({ model: one.name, description, artefact })
    await mill.modelVersions.promote(one.name, 1)
  }
  await mill.modelVersions.promote('shadowed', 2, { to: 'shadow' })
}
