import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fetchJars } from './jars.ts'
import { KafkaNode } from './node.ts'
import { serverProperties } from './properties.ts'
import { makeSecurity } from './stores.ts'

export type ClusterOptions = {
  /** Holds the nodes' data and logs. A cluster that is there goes on with its topics, and its ports. */
  readonly folder: string
  /** Default: 1. */
  readonly nodes?: 1 | 3
  /** Of the first node; the others have the next ones. Default: whatever is free. */
  readonly port?: number
  /** Per node. Default: 256. */
  readonly heapMebibytes?: number
  /** User → password. Given: the cluster also listens for SASL and TLS, and lets its users do what ACLs grant. */
  readonly users?: Readonly<Record<string, string>>
  /**
   * Ports of proxies, one per node: each node has another listener, which tells clients to come there. What they are to
   * pass on to is `Cluster.proxied`.
   */
  readonly proxies?: readonly number[]
  /** Added to every node's `server.properties`. */
  readonly properties?: Readonly<Record<string, string>>
  readonly say?: (line: string) => void
  /** Default: 60 s. */
  readonly readyMs?: number
}

export type NodePlace = {
  readonly id: number
  readonly folder: string
  readonly port: number
  readonly controllerPort: number
  readonly saslPort: number
  readonly tlsPort: number
  readonly saslTlsPort: number
  readonly proxiedPort: number
}

export type Security = {
  readonly users: Readonly<Record<string, string>>
  readonly keyStore: string
  readonly trustStore: string
  readonly storePassword: string
  /** Of the brokers, in PEM: what a client has to trust. */
  readonly certificate: string
  /** What the TLS listener wants to see of a client. */
  readonly client: { readonly pfx: Buffer; readonly passphrase: string }
}

export type Cluster = {
  readonly nodes: readonly KafkaNode[]
  /** `host:port,…`, without authentication. */
  readonly brokers: string
  /** The ports behind the proxies, one per node. */
  readonly proxied: readonly number[]
  /** The same over other listeners; null without users. */
  readonly secure: {
    readonly sasl: string
    readonly tls: string
    readonly saslTls: string
    readonly security: Security
  } | null
  /** Starts the nodes that do not run, and waits until all serve. */
  start(): Promise<void>
  /** Stops all nodes, letting them finish. */
  stop(): Promise<void>
  /** kill -9 for all of them. */
  kill(): Promise<void>
}

/** Starts Apache Kafka in KRaft mode on the loopback interface, and resolves when all its nodes serve. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const jars = await fetchJars(options.say ?? (() => undefined))
  const places = await placesOf(options)
  const security = options.users === undefined ? null : await makeSecurity(options.folder, options.users)
  const clusterId = await clusterIdOf(options.folder)
  const nodes = places.map((place, index) => {
    const more = { security, proxy: options.proxies?.[index] ?? null, properties: options.properties ?? {} }
    const properties = serverProperties(place, places, more)
    const { heapMebibytes = 256, users = {} } = options
    return new KafkaNode({ id: place.id, folder: place.folder, jars, properties, clusterId, heapMebibytes, users })
  })
  for (const node of nodes) await node.format()
  const at = (portOf: (place: NodePlace) => number): string =>
    places.map((place) => `127.0.0.1:${portOf(place)}`).join()
  const cluster: Cluster = {
    nodes,
    brokers: at(({ port }) => port),
    proxied: places.map(({ proxiedPort }) => proxiedPort),
    secure:
      security === null
        ? null
        : {
            security,
            sasl: at(({ saslPort }) => saslPort),
            tls: at(({ tlsPort }) => tlsPort),
            saslTls: at(({ saslTlsPort }) => saslTlsPort),
          },
    async start() {
      for (const node of nodes) if (node.pid === null) await node.start()
      await Promise.all(nodes.map((node) => node.ready(options.readyMs ?? 60_000)))
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()))
    },
    async kill() {
      await Promise.all(nodes.map((node) => node.kill()))
    },
  }
  try {
    await cluster.start()
  } catch (error) {
    await cluster.kill()
    throw error
  }
  return cluster
}

/** Written beside the nodes' data: a cluster that is started again must keep its ports, which are in its metadata. */
async function placesOf({ folder, nodes = 1, port }: ClusterOptions): Promise<NodePlace[]> {
  const file = join(folder, 'places.json')
  if (existsSync(file)) {
    const known = JSON.parse(await readFile(file, 'utf8')) as NodePlace[]
    if (known.length !== nodes || (port !== undefined && known[0]!.port !== port)) {
      const has = `${known.length} node(s), the first on port ${known[0]!.port}`
      throw new Error(`the cluster in ${folder} has ${has}: ask for the same, or remove the folder to begin anew`)
    }
    return known
  }
  const free = await freePorts(nodes * 6)
  const places = Array.from({ length: nodes }, (_, index) => ({
    id: index + 1,
    folder: join(folder, `node-${index + 1}`),
    port: port === undefined ? free.pop()! : port + index,
    controllerPort: free.pop()!,
    saslPort: free.pop()!,
    tlsPort: free.pop()!,
    saslTlsPort: free.pop()!,
    proxiedPort: free.pop()!,
  }))
  await mkdir(folder, { recursive: true })
  await writeFile(file, JSON.stringify(places, null, 2))
  return places
}

async function clusterIdOf(folder: string): Promise<string> {
  const file = join(folder, 'cluster-id')
  // Sixteen bytes, of which the first is not drawn: an id that begins with "-" reads as an option of the command line.
  if (!existsSync(file)) await writeFile(file, Buffer.from([0, ...randomBytes(15)]).toString('base64url'))
  return await readFile(file, 'utf8')
}

/** All held at once, so that they differ. Another process may take one before the broker does; then it says so. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer()
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
