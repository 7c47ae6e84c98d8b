import { messageOf } from '../../base/faults.ts'
import { openStoreSnapshot } from '../../store/online/embedded/store-snapshot.ts'

/** Runs in a process of its own (check-store.ts): reads every entry of a store, in the order in which they should be. */
try {
  const store = await openStoreSnapshot(process.argv[2]!)
  let before: Uint8Array = new Uint8Array(0)
  let sum = 0
  for (const [key, value] of store?.range(Uint8Array.of(0), Uint8Array.of(255)) ?? []) {
    if (Buffer.compare(before, key) >= 0) throw new Error('its keys are not in order')
    before = key
    // Each byte, so that a page that is not there is missed here.
    for (const byte of value) sum = (sum + byte) & 0xffff
  }
  await store?.close()
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode = 1
}
