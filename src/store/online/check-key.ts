import { MillraceError } from '../../base/faults.ts'

/**
 * What every online store takes: LMDB's limit at its usual page size of 4 KiB. The store in memory keeps to it too,
 * so that a test in memory fails where a disk would.
 */
export const storeKeyBytesMax = 1978

export function checkStoreKey(key: Uint8Array): void {
  if (key.length === 0 || key.length > storeKeyBytesMax) {
    throw new MillraceError('STORE_KEY_SIZE', { size: key.length, limit: storeKeyBytesMax })
  }
}
