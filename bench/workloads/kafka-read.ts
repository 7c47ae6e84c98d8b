/**
 * Reads a topic in Kafka with millrace's reader, and does nothing with the records: `kafka-read.ts '{ "brokers": … }'`.
 * Says how far it is as the others do.
 */
import { systemClock } from '../../src/base/clock.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'

/** As the engine reads. */
const readBytes = 1024 * 1024

const { brokers, topic } = JSON.parse(process.argv[2]!) as { readonly brokers: string; readonly topic: string }
const log = await openKafkaLog({ brokers, clock: systemClock })
const { partitions } = log.topics().find((one) => one.topic === topic)!
let count = 0
const saying = setInterval(() => console.log(JSON.stringify({ customers: count, terminals: count })), 100)

await Promise.all(Array.from({ length: partitions }, (_, partition) => readAll(partition)))
process.once('SIGTERM', () => {
  clearInterval(saying)
  void log.close()
})

async function readAll(partition: number): Promise<void> {
  for (let offset = 0; offset < log.end(topic, partition); ) {
    const { records, next } = await log.read(topic, partition, offset, readBytes)
    count += records.length
    offset = next
  }
}
