import { connect, type Socket } from 'node:net'

export type Load = {
  readonly port: number
  readonly path: string
  /** What the header of this name says. Default: it is not sent. */
  readonly accept?: string
  /** The body of the n-th request, from 0. Called once for each. */
  readonly body: (n: number) => string
  /** Kept open, each with one request at a time. */
  readonly connections: number
  /**
   * Requests begin at this rate whatever the server does (open loop); one that finds no connection free waits, and its
   * wait counts. Default: the next begins when one is answered, so that the load follows the server (closed loop).
   */
  readonly perSecond?: number
  readonly seconds: number
  /** Ends sooner after so many requests. Default ten million. */
  readonly requestsMax?: number
  /** Told of each answer. What it takes is the generator's time. */
  readonly onAnswer?: (answer: LoadAnswer) => void
}

export type LoadAnswer = {
  readonly n: number
  readonly status: number
  readonly body: string
  readonly latencyMs: number
}

export type LoadResult = {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
  /** Answers whose status was not 2xx. They are counted among the requests. */
  readonly refused: number
  /** CPU of this process while the load ran, in parts of one core. Near 1, the generator was the limit. */
  readonly generatorCores: number
}

/**
 * POSTs JSON over the loopback interface and measures from the first byte written to the last byte read. Speaks just
 * the HTTP it needs, so that little of the CPU is its own: answers must have a `content-length`.
 */
export async function runLoad(load: Load): Promise<LoadResult> {
  const tally: Tally = { latencies: new Latencies(), sent: 0, refused: 0 }
  const cpu = process.cpuUsage()
  const start = performance.now()
  const endAt = start + load.seconds * 1_000
  const lanes = Array.from({ length: load.connections }, () => runConnection(load, tally, endAt))
  await Promise.all(lanes)
  const elapsedSeconds = (performance.now() - start) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  const { latencies } = tally
  return {
    requests: latencies.count,
    requestsPerSecond: latencies.count / elapsedSeconds,
    p50Ms: latencies.quantile(0.5),
    p99Ms: latencies.quantile(0.99),
    longestMs: latencies.longestMs,
    refused: tally.refused,
    generatorCores: (user + system) / 1e6 / elapsedSeconds,
  }
}

type Tally = { readonly latencies: Latencies; sent: number; refused: number }

/** One connection until the time or the requests are over. Rejects when it breaks. */
function runConnection(load: Load, tally: Tally, endAt: number): Promise<void> {
  const { port, body, perSecond, requestsMax = 10_000_000 } = load
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let [sentAt, asked] = [0, 0]
    let received: Buffer = Buffer.alloc(0)
    const send = (n: number, since: number): void => {
      sentAt = since
      asked = n
      socket.write(requestText(load, body(n)))
    }
    const sendNext = (): void => {
      const now = performance.now()
      const n = tally.sent
      const dueAt = perSecond === undefined ? now : endAt - load.seconds * 1_000 + (n * 1_000) / perSecond
      if (Math.max(now, dueAt) >= endAt || n >= requestsMax) {
        socket.end()
        return
      }
      tally.sent += 1
      // A timer may be late; that is the generator's fault, not the server's.
      if (dueAt > now) setTimeout(() => send(n, performance.now()), dueAt - now)
      else send(n, dueAt)
    }
    socket.on('connect', sendNext)
    socket.on('data', (piece: Buffer) => {
      received = received.length === 0 ? piece : Buffer.concat([received, piece])
      const answer = answerIn(received)
      if (answer === null) return
      if (answer instanceof Error) {
        broken(socket, answer)
        return
      }
      const latencyMs = performance.now() - sentAt
      tally.latencies.add(latencyMs)
      if (load.onAnswer !== undefined) {
        const text = received.toString('utf8', answer.bodyAt, answer.size)
        load.onAnswer({ n: asked, status: answer.status, body: text, latencyMs })
      }
      received = received.subarray(answer.size)
      if (answer.status < 200 || answer.status > 299) tally.refused += 1
      sendNext()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.on('end', () => {
      if (!socket.writableEnded) broken(socket, new Error('the server closed a connection under load'))
    })
  })
}

function broken(socket: Socket, error: Error): void {
  socket.destroy(error)
}

function requestText({ path, accept }: Load, body: string): string {
  const accepted = accept === undefined ? '' : `accept: ${accept}\r\n`
  const size = Buffer.byteLength(body)
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\n${accepted}content-type: application/json\r\ncontent-length: ${size}\r\n\r\n${body}`
}

/** The first answer in `bytes`, null while it is incomplete. */
function answerIn(bytes: Buffer): { status: number; bodyAt: number; size: number } | Error | null {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return null
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (length === null) return new Error(`an answer has no content-length: ${head}`)
  const size = headEnd + 4 + Number(length[1])
  return bytes.length < size ? null : { status: Number(head.slice(9, 12)), bodyAt: headEnd + 4, size }
}

const bucketMs = 0.01
const bucketCount = 1_000_000

/** A histogram of 10 µs steps up to 10 s: bounded memory, whatever the load. */
class Latencies {
  readonly #buckets = new Uint32Array(bucketCount)
  count = 0
  longestMs = 0

  add(ms: number): void {
    this.count += 1
    if (ms > this.longestMs) this.longestMs = ms
    const bucket = Math.min(Math.floor(ms / bucketMs), bucketCount - 1)
    this.#buckets[bucket] = this.#buckets[bucket]! + 1
  }

  /** The upper end of the step in which that share of the requests is reached. NaN of none. */
  quantile(share: number): number {
    const wanted = Math.ceil(this.count * share)
    let seen = 0
    for (let bucket = 0; bucket < bucketCount && this.count > 0; bucket++) {
      seen += this.#buckets[bucket]!
      if (seen >= wanted) return (bucket + 1) * bucketMs
    }
    return Number.NaN
  }
}
