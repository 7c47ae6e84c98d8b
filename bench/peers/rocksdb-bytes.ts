/**
 * What the raw events of keys take as rows of a Kafka Streams window store with timestamps, which is what an exact
 * window over them needs there: one row per event. Key (WindowKeySchema): the key's bytes, 8 of the time, 4 of a
 * sequence number. Value (ValueAndTimestampSerializer): 8 of the time, then the value.
 *
 * On disk (RocksDB, block_based_table_format and block_builder.cc, with Kafka Streams' settings: blocks of 4,096 bytes,
 * no compression, a Bloom filter): each row is three varints, what its internal key (8 more bytes: sequence and type)
 * does not share with the row before, and its value; every 16th shares nothing and costs a restart of 4. Per block 5
 * bytes of trailer, 4 of the restart count, and an index entry of its last key and a handle of about 8.
 *
 * In the memtable (skip list): the internal key and the value with their varint lengths, and 1.33 pointers of 8 bytes
 * on average. Block cache, indexes in memory, segments and the cache of Kafka Streams come on top; none is counted.
 */
export type RocksBytes = { readonly diskPerKey: number; readonly memtablePerKey: number; readonly arithmetic: string }

export type RocksRows = {
  /** Keys in byte order, with the times of their events in ascending order. */
  readonly keys: Iterable<readonly [key: Uint8Array, times: readonly number[]]>
  readonly valueLength: number
}

const blockBytes = 4_096
const restartEvery = 16
const bloomBytesPerRow = 10 / 8
const pointersPerNode = 4 / 3

export function rocksdbBytes({ keys, valueLength }: RocksRows): RocksBytes {
  const blocks = new Blocks()
  let [keyCount, rows, memtable, rowKeyLength] = [0, 0, 0, 0]
  for (const [key, times] of keys) {
    keyCount += 1
    for (const time of times) {
      const internal = internalKey(key, time)
      rowKeyLength = internal.length
      const value = 8 + valueLength
      blocks.add(internal, value)
      memtable += varintBytes(internal.length) + internal.length + varintBytes(value) + value + 8 * pointersPerNode
      rows += 1
    }
  }
  const disk = blocks.finish() + rows * bloomBytesPerRow
  const perKey = rows / keyCount
  const row = (disk / rows).toFixed(1)
  const arithmetic = `${perKey} rows of ${row} bytes on disk: key ${rowKeyLength - 20} + 8 + 4 + 8 internal, less what it shares with the row before; value 8 + ${valueLength}; 3 of lengths; restarts, index and filter`
  return { diskPerKey: disk / keyCount, memtablePerKey: memtable / keyCount, arithmetic }
}

class Blocks {
  #bytes = 0
  #block = 0
  #inBlock = 0
  #last: Uint8Array = new Uint8Array()

  add(key: Uint8Array, valueLength: number): void {
    const restarts = this.#inBlock % restartEvery === 0
    const shared = restarts ? 0 : sharedPrefix(this.#last, key)
    const lengths = varintBytes(shared) + varintBytes(key.length - shared) + varintBytes(valueLength)
    this.#block += lengths + key.length - shared + valueLength + (restarts ? 4 : 0)
    this.#inBlock += 1
    this.#last = key
    if (this.#block >= blockBytes) this.#close()
  }

  finish(): number {
    if (this.#inBlock > 0) this.#close()
    return this.#bytes
  }

  #close(): void {
    this.#bytes += this.#block + 4 + 5 + this.#last.length + 8
    this.#block = 0
    this.#inBlock = 0
  }
}

function internalKey(key: Uint8Array, time: number): Uint8Array {
  const bytes = Buffer.alloc(key.length + 20)
  bytes.set(key)
  bytes.writeBigUInt64BE(BigInt(time), key.length)
  return bytes
}

function sharedPrefix(one: Uint8Array, other: Uint8Array): number {
  let length = 0
  // The internal part at the end differs from row to row: its sequence number does.
  const most = Math.min(one.length, other.length) - 8
  while (length < most && one[length] === other[length]) length += 1
  return length
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1
  return bytes
}
