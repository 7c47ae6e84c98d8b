/**
 * Runs Apache Kafka on this machine until it is told to stop.
 *
 *     npm run kafka -- [--nodes 3] [--port 9092] [--folder DIR] [--fresh]
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { startCluster } from './cluster.ts'
import { kafkaFolder, missingForKafka } from './jars.ts'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1' },
    port: { type: 'string', default: '9092' },
    folder: { type: 'string' },
    fresh: { type: 'boolean', default: false },
  },
})
const nodes = Number(values.nodes)
const port = Number(values.port)
if (nodes !== 1 && nodes !== 3) fail(`--nodes ${values.nodes}: a cluster has 1 node or 3`)
if (!Number.isInteger(port) || port < 1 || port > 65_000) fail(`--port ${values.port} is no port`)
const missing = await missingForKafka()
if (missing !== null) fail(`${missing}.\nWith KAFKA_BROKERS=host:port everything uses a broker that is there.`)

const folder = values.folder ?? join(kafkaFolder, `cluster-of-${nodes}`)
if (values.fresh) await rm(folder, { recursive: true, force: true })
const startedMs = performance.now()
const cluster = await startCluster({ folder, nodes, port, say: (line) => console.log(line) }).catch((error: unknown) =>
  fail(error instanceof Error ? error.message : String(error)),
)
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
console.log(`Apache Kafka is ready after ${seconds} s, ${nodes === 1 ? 'one node' : `${nodes} nodes`}`)
console.log(`KAFKA_BROKERS=${cluster.brokers}`)
for (const node of cluster.nodes) console.log(`node ${node.id}: pid ${node.pid}, log ${node.logFile}`)
console.log('Ctrl-C stops it.')

let stopping = false
const stop = (): void => {
  if (stopping) return
  stopping = true
  clearInterval(watching)
  console.log('stopping')
  void cluster.stop().then(() => {
    console.log('stopped')
    process.exit(0)
  })
}
const watching = setInterval(() => {
  const ended = cluster.nodes.find(({ pid }) => pid === null)
  if (ended === undefined || stopping) return
  stopping = true
  clearInterval(watching)
  void Promise.all([ended.logTail(), cluster.stop()]).then(([tail]) => fail(`node ${ended.id} has ended\n${tail}`))
}, 500)
process.on('SIGINT', stop)
process.on('SIGTERM', stop)

function fail(text: string): never {
  console.error(text)
  process.exit(1)
}
