/** A mill with its HTTP server in a process of its own, so that its CPU is not the load generator's. Told what by messages. */
import { millrace } from 'millrace'
import { systemClock } from '../../src/base/clock.ts'
import { startServer } from '../../src/app/server.ts'
import { features10, features250, features50, fraudFeatures } from './payments.ts'

process.once('message', (message) => {
  void start(message as Order)
})

/** `reads`: with more views than what is folded for the benchmarks of ingestion. */
type Order = { readonly folder: string; readonly reads?: boolean }

async function start({ folder, reads = false }: Order): Promise<void> {
  const definitions = [fraudFeatures, features50, ...(reads ? [features10, features250] : [])]
  const mill = await millrace({ definitions, folder })
  const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
  process.on('message', (message) => {
    if (message !== 'cpu') return
    const { user, system } = process.cpuUsage()
    process.send!({ cpuSeconds: (user + system) / 1e6 })
  })
  process.once('SIGTERM', () => {
    void server
      .close()
      .then(() => mill.close())
      .then(() => process.exit(0))
  })
  process.send!({ port: Number(new URL(server.address).port) })
}
