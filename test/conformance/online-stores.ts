import { openEmbeddedOnlineStore } from '../../src/store/online/embedded/embedded-online-store.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import type { OnlineStore } from '../../src/store/online/online-store.ts'
import type { OnlineStoreCase } from './online-store.ts'

/** Every adapter of the port. Each runs the suite in its own test file. */
export const onlineStores = {
  embedded: {
    name: 'embedded',
    open: (folder) => openEmbeddedOnlineStore({ folder }),
    durable: true,
  },
  memory: {
    name: 'memory',
    open: async () => Promise.resolve(openMemoryOnlineStore()),
    durable: false,
  },
} as const satisfies Record<string, OnlineStoreCase>

export function openByName(name: string, folder: string): Promise<OnlineStore> {
  const subject = Object.values(onlineStores).find((candidate) => candidate.name === name)
  if (subject === undefined) throw new Error(`no online store is named ${name}`)
  return subject.open(folder)
}
