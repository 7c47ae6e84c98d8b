import process from 'node:process'
import type { Mill } from 'millrace'
import { startServer } from '../../src/app/server.ts'
import { systemClock } from '../../src/base/clock.ts'

/** Serves over HTTP and tells the parent process the port, and its CPU when asked by the message `cpu`; until SIGTERM. */
export async function serveMill(mill: Mill): Promise<void> {
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
