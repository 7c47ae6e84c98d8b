/** A mill with its HTTP server in a process of its own, so that its CPU is not the load generator's. Told what by messages. */
import { millrace } from 'millrace'
import { features10, features250, features50, fraudFeatures } from './payments.ts'
import { serveMill } from './serve-mill.ts'

process.once('message', (message) => {
  void start(message as Order)
})

/** `reads`: with more views than what is folded for the benchmarks of ingestion. */
type Order = { readonly folder: string; readonly reads?: boolean }

async function start({ folder, reads = false }: Order): Promise<void> {
  const definitions = [fraudFeatures, features50, ...(reads ? [features10, features250] : [])]
  const mill = await millrace({ definitions, folder })
  await serveMill(mill)
}
