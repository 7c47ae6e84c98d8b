/** Those who wait for a record at or after an offset. */
export class Waiters {
  readonly #waiting = new Set<Waiter>()

  /** Resolves when `wake` passes `offset` or `signal` aborts; rejects when the partition stops or closes. */
  wait(offset: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiter)
        signal.removeEventListener('abort', done)
      }
      const done = (): void => {
        leave()
        resolve()
      }
      const fail = (error: Error): void => {
        leave()
        reject(error)
      }
      const waiter: Waiter = { offset, done, fail }
      this.#waiting.add(waiter)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  wake(end: number): void {
    for (const waiter of this.#waiting) if (waiter.offset < end) waiter.done()
  }

  fail(error: Error): void {
    for (const waiter of this.#waiting) waiter.fail(error)
  }
}

type Waiter = { readonly offset: number; readonly done: () => void; readonly fail: (error: Error) => void }
