import zlib from 'node:zlib'
import type { Compressors } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

/**
 * Decompression. Node's own zstd, gzip and brotli are several times faster than those in JavaScript; the others come
 * from hyparquet-compressors. A page that grows past the size in its header is refused before it fills the memory.
 */
export const decompressors: Compressors = {
  ...compressors,
  ZSTD: (bytes, size) => zlib.zstdDecompressSync(bytes, limits(size)),
  GZIP: (bytes, size) => zlib.gunzipSync(bytes, limits(size)),
  BROTLI: (bytes, size) => zlib.brotliDecompressSync(bytes, limits(size)),
}

/** What the writer can write. Level 1 of zstd is both smaller and faster than snappy in JavaScript. */
export type ParquetCodec = 'ZSTD' | 'UNCOMPRESSED'

export const compressorsToWrite: { readonly ZSTD: (bytes: Uint8Array) => Uint8Array } = {
  ZSTD: (bytes) => {
    const params = { [zlib.constants.ZSTD_c_compressionLevel]: 1 }
    return zlib.zstdCompressSync(bytes, { chunkSize: Math.max(bytes.length >> 1, 64), params })
  },
}

function limits(size: number): zlib.ZlibOptions & zlib.BrotliOptions & zlib.ZstdOptions {
  return { maxOutputLength: Math.max(size, 1), chunkSize: Math.max(size, 64) }
}
