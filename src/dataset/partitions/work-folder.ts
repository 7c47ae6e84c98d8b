import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { attempt, type Block, crcsOf, type FiledBlock } from './segment-store.ts'
import type { SweepResult } from './sweeper.ts'

/**
 * What a training set is made from and how, by name: two runs of which all of this is equal give the same file. Plain
 * data.
 */
export type Identity = Readonly<Record<string, unknown>>

const formatVersion = 1

/**
 * Where a training set that exceeds its memory keeps what it has done, until it is written: then the folder goes.
 *
 * - `read.json`: everything was read; what came out of it, and where its segments lie.
 * - `<view>-<partition>.swept`: the features of a partition. A line of JSON says where its segments lie in what follows.
 *
 * Both appear whole or not at all, and only count in a folder of the same identity (`identity.json`).
 */
export class WorkFolder {
  readonly path: string
  /** Why an earlier run's work is of no use; null where there was none, or it is. */
  readonly mismatch: string | null
  readonly #identity: Identity

  /** Throws `SPILL_FAILED`. */
  constructor(path: string, identity: Identity) {
    this.path = path
    this.#identity = JSON.parse(JSON.stringify({ format: formatVersion, ...identity })) as Identity
    const found = this.#readJson<{ readonly identity: Identity }>('identity.json')?.identity ?? null
    this.mismatch = found === null ? null : differenceOf(found, this.#identity)
    if (found !== null && this.mismatch === null) return
    attempt(path, () => {
      rmSync(path, { recursive: true, force: true })
      mkdirSync(path, { recursive: true })
    })
    this.#saveIdentity({ synced: false })
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** What an earlier run read; null where it did not come to the end of it. */
  loadRead<Read>(): Read | null {
    return this.#readJson<Read>('read.json')
  }

  saveRead(read: unknown): void {
    this.#saveIdentity({ synced: true })
    this.#writeWhole('read.json', [JSON.stringify(read)])
  }

  /**
   * The features of a partition that an earlier run swept; null where none did, or where a crash of the machine left
   * less than was written: they are not synced, for sweeping again is cheaper than waiting for the disk each time.
   */
  loadSwept(name: string): Swept | null {
    const path = this.file(`${name}.swept`)
    if (!existsSync(path)) return null
    const bytes = attempt(path, () => readFileSync(path))
    const position = bytes.indexOf('\n') + 1
    const head = parseHead(bytes.toString('latin1', 0, position))
    if (head === null) return null
    const { offsets, crcs, warming } = head
    const found = crcsOf({ bytes: bytes.subarray(position), offsets })
    return found.every((crc, bucket) => crc === crcs[bucket])
      ? { block: { path, position, offsets, crcs }, warming }
      : null
  }

  saveSwept(name: string, { bytes, offsets, warming }: SweepResult): Swept {
    const crcs = crcsOf({ bytes, offsets } satisfies Block)
    const head = `${JSON.stringify({ offsets, crcs, warming } satisfies SweptHead)}\n`
    const path = this.#writeWhole(`${name}.swept`, [head, bytes], false)
    return { block: { path, position: head.length, offsets, crcs }, warming }
  }

  remove(): void {
    attempt(this.path, () => rmSync(this.path, { recursive: true, force: true }))
  }

  #readJson<Value>(name: string): Value | null {
    const path = this.file(name)
    if (!existsSync(path)) return null
    return attempt(path, () => JSON.parse(readFileSync(path, 'utf8')) as Value)
  }

  /** Only what something was saved under has to outlive the machine: most runs save nothing, and wait for no disk. */
  #saveIdentity({ synced }: { readonly synced: boolean }): void {
    this.#writeWhole('identity.json', [JSON.stringify({ identity: this.#identity })], synced)
  }

  /** Under its name only when it is whole, and on disk if it is synced. */
  #writeWhole(name: string, parts: readonly (string | Uint8Array)[], synced = true): string {
    const path = this.file(name)
    attempt(path, () => {
      const file = openSync(`${path}.partial`, 'w')
      try {
        for (const part of parts) {
          const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
          for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
        }
        if (synced) fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(`${path}.partial`, path)
    })
    return path
  }
}

export type Swept = { readonly block: FiledBlock; readonly warming: number }

type SweptHead = { readonly offsets: readonly number[]; readonly crcs: readonly number[]; readonly warming: number }

function parseHead(line: string): SweptHead | null {
  try {
    return JSON.parse(line) as SweptHead
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function differenceOf(before: Identity, now: Identity): string | null {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])]
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]))
  return changed.length === 0 ? null : changed.join(', ')
}
