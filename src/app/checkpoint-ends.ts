import { join } from 'node:path'
import { MillraceError } from '../base/faults.ts'
import type { DurableEnds } from '../log/embedded/end-mark.ts'
import { nodeFileSystem } from '../log/embedded/node-file-system.ts'
import { readLogId } from '../log/embedded/topic-file.ts'
import { openStoreSnapshot } from '../store/online/embedded/store-snapshot.ts'
import { type Checkpoint, readCheckpoint } from '../stream/checkpoint.ts'

/** What a checkpoint has seen of the log was durable. */
export function durableEndsOf(checkpoint: Checkpoint | null): DurableEnds {
  const ends = new Map<string, number[]>()
  const note = (topic: string, partition: number, end: number): void => {
    const known = ends.get(topic) ?? []
    while (known.length <= partition) known.push(0)
    known[partition] = Math.max(known[partition]!, end)
    ends.set(topic, known)
  }
  for (const { sources } of checkpoint?.tracks ?? []) {
    for (const { topic, partition, next } of sources) note(topic, partition, next)
  }
  for (const [topic, own] of Object.entries(checkpoint?.outputs ?? {})) {
    own.forEach((end, partition) => note(topic, partition, end))
  }
  return ends
}

/**
 * How far the log of a data folder was durable, as its last checkpoint knows. Empty where there is none of this log, or
 * none that can be read: opening the store says why.
 */
export async function readDurableEnds(folder: string): Promise<DurableEnds> {
  try {
    const log = await readLogId(nodeFileSystem, join(folder, 'log'))
    const store = log === null ? null : await openStoreSnapshot(join(folder, 'store'))
    if (log === null || store === null) return new Map()
    try {
      return durableEndsOf(readCheckpoint(store, { log, folder }))
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof MillraceError || error instanceof SyntaxError) return new Map()
    throw error
  }
}
