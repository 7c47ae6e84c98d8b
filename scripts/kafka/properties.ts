import type { NodePlace, Security } from './cluster.ts'

/** Kafka's own defaults, but for what makes one machine with little memory enough. */
const small: Readonly<Record<string, string | number>> = {
  'num.network.threads': 2,
  'num.io.threads': 4,
  'num.recovery.threads.per.data.dir': 1,
  'log.cleaner.dedupe.buffer.size': 8 * 1024 * 1024,
  'log.cleaner.backoff.ms': 500,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.num.partitions': 4,
  'share.coordinator.state.topic.num.partitions': 1,
  'group.initial.rebalance.delay.ms': 0,
  // Whoever needs a topic creates it: a misspelt name must not make one.
  'auto.create.topics.enable': 'false',
  // A cluster of one bounces in a moment.
  'broker.session.timeout.ms': 6_000,
  'broker.heartbeat.interval.ms': 1_000,
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1_000,
}

/** The lines of a node's `server.properties`. */
export function serverProperties(
  node: NodePlace,
  nodes: readonly NodePlace[],
  more: {
    readonly security: Security | null
    readonly proxy: number | null
    readonly properties: Readonly<Record<string, string>>
  },
): string {
  const replicas = Math.min(3, nodes.length)
  const inSync = Math.max(1, replicas - 1)
  const { listeners, advertised, protocols, lines } = listenersOf(node, more)
  const all = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(),
    listeners: [`CONTROLLER://127.0.0.1:${node.controllerPort}`, ...listeners].join(),
    'advertised.listeners': advertised.join(),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': ['CONTROLLER:PLAINTEXT', ...protocols].join(),
    'log.dirs': `${node.folder}/data`,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    ...small,
    ...lines,
    ...more.properties,
  }
  return `${Object.entries(all)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`
}

type Listeners = {
  readonly listeners: readonly string[]
  readonly advertised: readonly string[]
  readonly protocols: readonly string[]
  readonly lines: Readonly<Record<string, string>>
}

function listenersOf(
  node: NodePlace,
  { security, proxy }: { readonly security: Security | null; readonly proxy: number | null },
): Listeners {
  const names = security === null ? ['PLAINTEXT'] : ['PLAINTEXT', 'SASL_PLAINTEXT', 'SSL', 'SASL_SSL']
  const ports = [node.port, node.saslPort, node.tlsPort, node.saslTlsPort]
  const listeners = names.map((name, index) => `${name}://127.0.0.1:${ports[index]}`)
  const protocols = names.map((name) => `${name}:${name}`)
  const lines = security === null ? {} : securityLines(security)
  if (proxy === null) return { listeners, advertised: listeners, protocols, lines }
  return {
    listeners: [...listeners, `PROXIED://127.0.0.1:${node.proxiedPort}`],
    advertised: [...listeners, `PROXIED://127.0.0.1:${proxy}`],
    protocols: [...protocols, 'PROXIED:PLAINTEXT'],
    lines,
  }
}

/**
 * Who comes in without a name over PLAINTEXT may do everything, the brokers among themselves too; a user may do what
 * was granted. What a client has to prove is what the SASL and TLS listeners ask.
 */
function securityLines({ users, keyStore, trustStore, storePassword }: Security): Record<string, string> {
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const bearer = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;'
  const passwords = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  const lines: Record<string, string> = {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': keyStore,
    'ssl.keystore.password': storePassword,
    'ssl.truststore.type': 'PKCS12',
    'ssl.truststore.location': trustStore,
    'ssl.truststore.password': storePassword,
    'listener.name.ssl.ssl.client.auth': 'required',
  }
  for (const listener of ['sasl_plaintext', 'sasl_ssl']) {
    const name = `listener.name.${listener}`
    lines[`${name}.sasl.enabled.mechanisms`] = 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER'
    lines[`${name}.plain.sasl.jaas.config`] = `${plain} ${passwords.join(' ')};`
    lines[`${name}.scram-sha-256.sasl.jaas.config`] = scram
    lines[`${name}.scram-sha-512.sasl.jaas.config`] = scram
    lines[`${name}.oauthbearer.sasl.jaas.config`] = bearer
  }
  return lines
}
