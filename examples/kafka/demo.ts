/**
 * From an event in Kafka to a feature and an answer, each step seen with Kafka's own console tools and with millrace:
 *
 *     npm run demo:kafka
 *
 * Starts a broker, or uses the one of KAFKA_BROKERS, whose topics it then leaves behind. Ends by itself: with 0 when every
 * step was seen, with 1 naming those that were not.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { kafka, millrace, startServer, systemClock } from 'millrace'
import { startCluster } from '../../scripts/kafka/cluster.ts'
import { missingForKafka } from '../../scripts/kafka/jars.ts'
import { Console } from './console.ts'
import { shopperV1 } from './definitions.ts'
import { steps } from './steps.ts'

const given = process.env['KAFKA_BROKERS']
const missing = given === undefined ? await missingForKafka() : null
if (missing !== null) {
  console.error(`${missing}.\nWith KAFKA_BROKERS=host:port the demo uses a broker that is there.`)
  process.exit(1)
}
const folder = await mkdtemp(join(tmpdir(), 'millrace-demo-kafka-'))
const cluster = given === undefined ? await startCluster({ folder: join(folder, 'kafka') }) : null
const brokers = cluster?.brokers ?? given!
const tools = await Console.open(brokers)
const killBroker = (): void => {
  tools.close()
  for (const { pid } of cluster?.nodes ?? []) if (pid !== null) process.kill(pid, 'SIGKILL')
}
process.once('exit', killBroker)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

let unseen: readonly string[]
try {
  unseen = await show()
} finally {
  tools.close()
  await cluster?.stop()
  await rm(folder, { recursive: true, force: true })
}
console.log(unseen.length === 0 ? '\nEvery step was seen.' : `\nNot seen: ${unseen.join(', ')}.`)
process.exitCode = unseen.length === 0 ? 0 : 1

/** The names of the steps that were not seen. */
async function show(): Promise<readonly string[]> {
  const log = kafka(brokers, cluster === null ? {} : { replication: 1 })
  const definitions = [shopperV1]
  const data = join(folder, 'data')
  const mill = await millrace({ folder: data, definitions, log, cluster: {}, answerRequests: true })
  const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
  console.log(`Apache Kafka at ${brokers}, millrace at ${server.address}`)
  try {
    const user = cluster === null ? `ada-${Date.now().toString(36)}` : 'ada'
    const notSeen: string[] = []
    for (const [index, { name, says, see }] of steps.entries()) {
      console.log(`\n${index + 1}  ${name}: ${says}`)
      const seen = await see({ mill, address: server.address, tools, user }).catch((error: unknown) => {
        console.log(`  ${String(error)}`)
        return false
      })
      if (!seen) notSeen.push(name)
    }
    return notSeen
  } finally {
    await server.close()
    await mill.close()
  }
}
