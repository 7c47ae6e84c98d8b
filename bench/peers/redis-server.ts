import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A redis-server from the PATH, on the loopback interface, that keeps nothing on disk: to check the arithmetic with. */
export class RedisServer {
  readonly #child: ChildProcess
  readonly #socket: Socket
  #answer = ''

  private constructor(child: ChildProcess, socket: Socket) {
    this.#child = child
    this.#socket = socket
    socket.setEncoding('latin1').on('data', (piece: string) => (this.#answer += piece))
  }

  /** Null: there is no redis-server here. */
  static async start(port = 7_391): Promise<RedisServer | null> {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    const child = spawn('redis-server', settings, { stdio: 'ignore' })
    const ended = Promise.race([once(child, 'error'), once(child, 'exit')]).then(() => true)
    for (let attempt = 0; attempt < 50; attempt++) {
      if (await Promise.race([ended, sleep(100, false)])) return null
      const socket = connect({ port, host: '127.0.0.1' })
      const connected = await Promise.race([
        once(socket, 'connect').then(() => true),
        once(socket, 'error').then(() => false),
      ]).catch(() => false)
      if (connected) return new RedisServer(child, socket)
    }
    child.kill()
    throw new Error('redis-server does not listen')
  }

  /** Sets all and waits until they are there. */
  async setAll(entries: Iterable<readonly [key: string, value: string]>): Promise<void> {
    let count = 0
    for (const [key, value] of entries) {
      count += 1
      if (!this.#socket.write(command(['SET', key, value]), 'latin1')) await once(this.#socket, 'drain')
    }
    await this.#until(() => this.#answer.length >= '+OK\r\n'.length * count)
    this.#answer = ''
  }

  /** Bytes that `INFO memory` calls used. */
  async usedBytes(): Promise<number> {
    const info = await this.#ask(['INFO', 'memory'], /used_memory:(\d+)\r\n[\s\S]*\r\n\r\n$|used_memory:(\d+)\r\n/)
    return Number(/used_memory:(\d+)/.exec(info)![1])
  }

  /** What `MEMORY USAGE` says of one key. */
  async keyBytes(key: string): Promise<number> {
    return Number((await this.#ask(['MEMORY', 'USAGE', key], /^:\d+\r\n$/)).slice(1))
  }

  async flush(): Promise<void> {
    await this.#ask(['FLUSHALL', 'SYNC'], /^\+OK\r\n$/)
  }

  async close(): Promise<void> {
    this.#socket.destroy()
    const exited = once(this.#child, 'exit')
    this.#child.kill()
    await exited
  }

  async #ask(words: readonly string[], complete: RegExp): Promise<string> {
    this.#socket.write(command(words))
    await this.#until(() => complete.test(this.#answer))
    const answer = this.#answer
    this.#answer = ''
    return answer
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) await sleep(5)
  }
}

function command(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}
