import { connect, createServer, type Socket } from 'node:net'
import { after } from 'node:test'

/** Passes connections on to a broker that advertises its port, and can let some of them hang: nothing comes through. */
export type HangingProxy = {
  readonly port: number
  /** Where to. */
  broker: number
  /** Marks connections that are made while it runs. */
  mark<Result>(connecting: () => Promise<Result>): Promise<Result>
  /** Those that are marked, and all new ones. */
  hang(): void
  resume(): void
}

export async function openHangingProxy(): Promise<HangingProxy> {
  const pairs = new Set<{ readonly sockets: readonly [Socket, Socket]; readonly marked: boolean }>()
  let [marking, hanging] = [false, false]
  const server = createServer((from) => {
    const to = connect(proxy.broker, '127.0.0.1')
    const pair = { sockets: [from, to] as const, marked: marking }
    pairs.add(pair)
    for (const socket of pair.sockets) {
      // The other end is gone as well then.
      socket.on('error', () => undefined)
      socket.on('close', () => {
        pairs.delete(pair)
        for (const each of pair.sockets) each.destroy()
      })
    }
    from.on('data', (bytes) => to.write(bytes))
    to.on('data', (bytes) => from.write(bytes))
    if (hanging) for (const socket of pair.sockets) socket.pause()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => {
    server.close()
    for (const { sockets } of pairs) for (const socket of sockets) socket.destroy()
  })
  const proxy: HangingProxy = {
    port: (server.address() as { port: number }).port,
    broker: 0,
    async mark(connecting) {
      marking = true
      try {
        return await connecting()
      } finally {
        marking = false
      }
    },
    hang() {
      hanging = true
      for (const { sockets, marked } of pairs) if (marked) for (const socket of sockets) socket.pause()
    },
    resume() {
      hanging = false
      for (const { sockets } of pairs) for (const socket of sockets) socket.resume()
    },
  }
  return proxy
}
