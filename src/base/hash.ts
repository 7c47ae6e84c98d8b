import { createHash, hash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** SHA-256 in hex: names contents such as plans and files. Not for the hot path. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** SHA-256 as its 32 bytes: about a microsecond, and one more per kilobyte. */
export function sha256Bytes(content: Uint8Array): Uint8Array {
  return hash('sha256', content, 'buffer')
}

/** Read ahead of the hash: large enough that the calls do not count, small enough to stay in a processor's cache. */
const chunkBytes = 1 << 20

/** SHA-256 in hex of a file. One chunk is read while the one before is hashed: a stream takes six times as long. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path)
  try {
    let chunk = Buffer.allocUnsafeSlow(chunkBytes)
    let ahead = Buffer.allocUnsafeSlow(chunkBytes)
    let reading = file.read(chunk, 0, chunkBytes, null)
    for (;;) {
      const { bytesRead } = await reading
      if (bytesRead === 0) return hash.digest('hex')
      reading = file.read(ahead, 0, chunkBytes, null)
      hash.update(chunk.subarray(0, bytesRead))
      ;[chunk, ahead] = [ahead, chunk]
    }
  } finally {
    await file.close()
  }
}

/** JSON with object keys in code unit order and no undefined members: equal data gives equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
