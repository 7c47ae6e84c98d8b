import { crc32c } from '../../base/crc32c.ts'
import { batchHeaderBytes } from '../record-batch.ts'
import { type Compression, compress, compressions } from './compression.ts'

/** Who writes a batch, and the how-manieth of its records is the first: by these Kafka takes a batch once only. */
export type ProducerPlace = { readonly id: bigint; readonly epoch: number; readonly sequence: number }

/** The batch as it goes to a broker: compressed where that makes it smaller, and with its producer in its header. */
export function sealBatch(batch: Buffer, producer: ProducerPlace, compression: Compression): Buffer {
  const body = batch.subarray(batchHeaderBytes)
  const compressed = compress(compression, body)
  const smaller = compression !== 'none' && compressed.length < body.length
  const sealed = smaller ? Buffer.concat([batch.subarray(0, batchHeaderBytes), compressed]) : batch
  sealed.writeInt32BE(sealed.length - 12, 8)
  if (smaller) sealed.writeInt16BE(compressions.indexOf(compression), 21)
  sealed.writeBigInt64BE(producer.id, 43)
  sealed.writeInt16BE(producer.epoch, 51)
  sealed.writeInt32BE(producer.sequence, 53)
  sealed.writeUInt32BE(crc32c(sealed, 21), 17)
  return sealed
}
