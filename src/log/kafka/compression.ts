import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms as codecs } from '@platformatic/kafka'
import { MillraceError } from '../../base/faults.ts'

/** In the order of Kafka's numbers for them, which stand in a batch's attributes. */
export const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export type Compression = (typeof compressions)[number]

export const compressionBits = 0b111

/** Of one batch, decompressed. A few bytes can claim to be many gigabytes: whoever writes to a topic is not trusted. */
export const decompressedBytesMax = 256 * 1024 * 1024

export function compress(compression: Compression, body: Buffer): Buffer {
  switch (compression) {
    case 'none':
      return body
    case 'gzip':
      return gzipSync(body)
    case 'zstd':
      return zstdCompressSync(body)
    case 'snappy':
    case 'lz4':
      return codecs[compression].compressSync(body)
  }
}

/** Throws whatever the codec throws when `body` is not what it says. */
export function decompress(number: number, body: Buffer): Buffer {
  const compression = compressions[number]
  switch (compression) {
    case 'none':
      return body
    case 'gzip':
      return gunzipSync(body, { maxOutputLength: decompressedBytesMax })
    case 'zstd':
      return zstdDecompressSync(body, { maxOutputLength: decompressedBytesMax })
    case 'snappy':
      checkSnappySize(body)
      return codecs.snappy.decompressSync(body)
    case 'lz4':
      return codecs.lz4.decompressSync(body)
    default:
      throw new MillraceError('RECORD_BATCH_UNSUPPORTED', { what: `compression number ${number}` })
  }
}

const xerialHeader = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])

/** Snappy writes the size first. Java's clients write blocks of at most 32 KiB instead, after a header of their own. */
function checkSnappySize(body: Buffer): void {
  if (body.subarray(0, xerialHeader.length).equals(xerialHeader)) return
  let size = 0
  for (let at = 0; at < Math.min(5, body.length); at++) {
    size += (body[at]! & 127) * 2 ** (7 * at)
    if (body[at]! < 128) break
  }
  if (size > decompressedBytesMax) throw new Error(`a Snappy block of ${size} bytes is larger than allowed`)
}
