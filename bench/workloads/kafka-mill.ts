/**
 * millrace on a log in Kafka, with its HTTP server, in a process of its own: `kafka-mill.ts '{ "brokers": … }'`. Says ten
 * times a second how far it is, as the peer does, and where it listens. Ends on SIGTERM.
 */
import { type ClusterOptions, kafka, millrace } from 'millrace'
import { systemClock } from '../../src/base/clock.ts'
import { startServer } from '../../src/app/server.ts'
import { cardWindows } from './card-windows.ts'

export type KafkaMillOrder = {
  readonly brokers: string
  readonly folder: string
  readonly topic: string
  readonly emit: boolean
  readonly checkpointMs: number
  readonly cluster?: ClusterOptions
}

const order = JSON.parse(process.argv[2]!) as KafkaMillOrder
const { brokers, folder, topic, emit, checkpointMs, cluster } = order
const log = kafka(brokers, { replication: 1 })
const mill = await millrace({
  definitions: cardWindows(topic, emit),
  folder,
  log,
  checkpointMs,
  ...(cluster === undefined ? {} : { cluster }),
})
const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
const port = Number(new URL(server.address).port)

const saying = setInterval(() => {
  const { customers, terminals } = mill.counts.views
  console.log(JSON.stringify({ port, customers: customers?.applied ?? 0, terminals: terminals?.applied ?? 0 }))
  const fault = mill.engine.fault ?? mill.engine.halted[0]?.fault
  if (fault) throw fault
}, 100)

process.once('SIGTERM', () => {
  clearInterval(saying)
  void server
    .close()
    .then(() => mill.close())
    .then(() => process.exit(0))
})
