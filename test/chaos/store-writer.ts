/** Writes entry after entry to an online store, and says of each whether it is durable. For `store-faults.test.ts`. */
import process from 'node:process'
import { MillraceError } from '../../src/base/faults.ts'
import { openEmbeddedOnlineStore } from '../../src/store/online/embedded/embedded-online-store.ts'

const store = await openEmbeddedOnlineStore({ folder: process.argv[2]! })
for (let number = 0; number < 12; number++) {
  const entries = Array.from(
    { length: 40 },
    (_, nth) => [Uint8Array.of(number, nth), Buffer.alloc(300, number)] as const,
  )
  try {
    await store.write(entries)
    console.log(`durable ${number}`)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    console.log(`${error.code} ${number}`)
  }
}
await store.close()
console.log('closed')
