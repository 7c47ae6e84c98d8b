import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { KafkaPlaceOptions, LogPlace } from '../app/open-log.ts'
import { MillraceError, messageOf } from '../base/faults.ts'
import { wholeNumber } from './options.ts'

export type KafkaCliOptions = { kafka?: string | true; kafkaNamespace?: string; kafkaReplication?: string }

/** Where the log is, for commands that work on it; with `creates`, also how topics are made. */
export function addKafkaOptions(command: Command, { creates }: { readonly creates: boolean }): Command {
  command
    .option(
      '--kafka [brokers]',
      'the log is in Kafka, at host:port,… (default: $KAFKA_BROKERS); state is in the folder',
    )
    .option('--kafka-namespace <name>', "before the names of millrace's own topics (default: $KAFKA_NAMESPACE)")
  if (creates) command.option('--kafka-replication <count>', 'copies of topics that do not exist yet', '3')
  return command
}

/** Shown with the commands that run or apply something. */
export const kafkaEnvironmentHelp = `
Who logs in to Kafka, and how, is said by the environment: KAFKA_SASL_MECHANISM,
KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE,
KAFKA_SASL_TOKEN_FILE; KAFKA_TLS=true, KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE,
KAFKA_TLS_KEY_FILE.`

/**
 * Where the log is, if not in the folder. Secrets come by the environment or from files: a command line is for all to
 * read. Throws `KAFKA_OPTIONS_MALFORMED`.
 */
export async function kafkaPlace(
  { kafka: asked, kafkaNamespace, kafkaReplication }: KafkaCliOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<LogPlace | undefined> {
  if (asked === undefined) return undefined
  const { kafka } = await import('../app/open-log.ts')
  const namespace = kafkaNamespace ?? environment['KAFKA_NAMESPACE']
  const options: KafkaPlaceOptions = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(kafkaReplication === undefined
      ? {}
      : { replication: wholeNumber('--kafka-replication', kafkaReplication, { min: 1, max: 100 }) }),
    ...(await saslOf(environment)),
    ...(await tlsOf(environment)),
  }
  return kafka(asked === true ? (environment['KAFKA_BROKERS'] ?? '') : asked, options)
}

type Environment = Readonly<Record<string, string | undefined>>

async function saslOf(environment: Environment): Promise<Pick<KafkaPlaceOptions, 'sasl'>> {
  const mechanism = environment['KAFKA_SASL_MECHANISM']
  if (mechanism === undefined) return {}
  switch (mechanism) {
    case 'OAUTHBEARER': {
      const file = needed(environment, 'KAFKA_SASL_TOKEN_FILE')
      // Read anew at each login: whoever renews the token writes the file.
      return { sasl: { mechanism, token: () => secretIn(file, 'KAFKA_SASL_TOKEN_FILE') } }
    }
    case 'PLAIN':
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512': {
      const file = environment['KAFKA_SASL_PASSWORD_FILE']
      const password =
        file === undefined
          ? needed(environment, 'KAFKA_SASL_PASSWORD')
          : await secretIn(file, 'KAFKA_SASL_PASSWORD_FILE')
      return { sasl: { mechanism, username: needed(environment, 'KAFKA_SASL_USERNAME'), password } }
    }
    default:
      throw new MillraceError('KAFKA_OPTIONS_MALFORMED', {
        detail: `KAFKA_SASL_MECHANISM "${mechanism}"`,
        allowed: 'PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER',
      })
  }
}

const tlsFiles = { ca: 'KAFKA_TLS_CA_FILE', cert: 'KAFKA_TLS_CERT_FILE', key: 'KAFKA_TLS_KEY_FILE' } as const

async function tlsOf(environment: Environment): Promise<Pick<KafkaPlaceOptions, 'tls'>> {
  const given = Object.entries(tlsFiles).filter(([, name]) => environment[name] !== undefined)
  if (given.length === 0 && environment['KAFKA_TLS'] !== 'true') return {}
  const read = given.map(async ([option, name]) => [option, await secretIn(environment[name]!, name)] as const)
  return { tls: Object.fromEntries(await Promise.all(read)) }
}

function needed(environment: Environment, name: string): string {
  const value = environment[name]
  if (value !== undefined && value !== '') return value
  throw new MillraceError('KAFKA_OPTIONS_MALFORMED', {
    detail: `${name} is not set`,
    allowed: `${name} beside KAFKA_SASL_MECHANISM`,
  })
}

/** Says of a file that cannot be read its name, and of one that can nothing. */
async function secretIn(file: string, name: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    const detail = `${name} cannot be read: ${messageOf(error)}`
    throw new MillraceError('KAFKA_OPTIONS_MALFORMED', { detail, allowed: 'a file that this process may read' })
  }
}
