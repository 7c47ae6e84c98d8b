import { connect, createServer, type Server, type Socket } from 'node:net'

/** What is done to the answers of a broker: held back for so long, or cut off, together with their connection. */
export type Harm = {
  readonly kind: 'delay' | 'cut'
  /** Numbers of the requests (`Produce` is 0) whose answers it concerns; null: all. */
  readonly requests: readonly number[] | null
  /** Whether it happens to one of them. */
  readonly hits: () => boolean
  readonly delayMs: () => number
}

/**
 * Stands between clients and one broker. It passes on whole messages, and knows of each answer which request it is of:
 * so an append can be carried out while its answer comes late or never.
 */
export class Proxy {
  harm: Harm | null = null
  /** How many answers were harmed. */
  harmed = 0
  /** Where it passes on to. */
  broker = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor() {
    this.#server = createServer((client) => this.#pass(client))
  }

  static async open(): Promise<Proxy> {
    const proxy = new Proxy()
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #pass(client: Socket): void {
    const broker = connect(this.broker, '127.0.0.1')
    const both = [client, broker]
    for (const socket of both) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      // The other end is gone then as well.
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        for (const one of both) one.destroy()
      })
    }
    /** By correlation id. */
    const requests = new Map<number, number>()
    const sent = new Messages((message) => requests.set(message.readInt32BE(8), message.readInt16BE(4)))
    client.on('data', (bytes) => {
      sent.take(bytes)
      broker.write(bytes)
    })
    // A broker answers in order, so does this.
    let before = Promise.resolve()
    const answered = new Messages((message) => {
      const request = requests.get(message.readInt32BE(4))
      requests.delete(message.readInt32BE(4))
      const waitMs = this.#judge(request ?? -1)
      before = before.then(async () => {
        if (waitMs === 'cut') return both.forEach((one) => one.destroy())
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
        if (!client.destroyed) client.write(message)
      })
    })
    broker.on('data', (bytes) => answered.take(bytes))
  }

  #judge(request: number): number | 'cut' {
    const { harm } = this
    if (harm === null || harm.requests?.includes(request) === false || !harm.hits()) return 0
    this.harmed += 1
    return harm.kind === 'cut' ? 'cut' : harm.delayMs()
  }
}

/** Puts together what comes in pieces: a length of four bytes, and as many bytes. */
class Messages {
  readonly #onMessage: (message: Buffer) => void
  #rest: Buffer = Buffer.alloc(0)

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage
  }

  take(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readInt32BE(0)
      if (this.#rest.length < end) return
      this.#onMessage(this.#rest.subarray(0, end))
      this.#rest = this.#rest.subarray(end)
    }
  }
}
