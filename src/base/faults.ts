import { schemaFaults } from './schema-faults.ts'

import { clusterFaults } from './cluster-faults.ts'
import type { Fault } from './fault.ts'
import { modelFaults } from './model-faults.ts'

/**
 * Every fault this package can raise: who can mend it, whether a retry may help, what happened and what to do next.
 * A code is never renamed and never reused. `docs/ERRORS.md` lists the same codes; a test keeps the two in step.
 */
export const faults = {
  ...schemaFaults,
  DEFINITION: {
    kind: 'user',
    retry: 'never',
    message: '{count} fault(s) in the definitions\n{list}',
    hint: 'Mend every line above: each names the path in the definition, what came and what is allowed.',
  },
  DEFINITIONS_UNREADABLE: {
    kind: 'user',
    retry: 'never',
    message: 'could not read definitions from {file}: {detail}',
    hint: 'Give a TypeScript or JavaScript module that exports entities, streams, feature views or feature services.',
  },
  DEFINITIONS_MALFORMED: {
    kind: 'user',
    retry: 'never',
    message: 'the definitions as data are refused at {path}: there is {came}',
    hint: 'Allowed is {allowed}. `millrace plan definitions.ts --definitions` prints definitions as data.',
  },
  REGISTRY_CONFLICT: {
    kind: 'user',
    retry: 'never',
    message: 'version {expected} is not the applied one any more: version {number} was applied at {at}\n{difference}',
    hint: 'The lines say what changed meanwhile. Look at the difference to version {number} with `millrace plan`, then apply again.',
  },
  REGISTRY_INCOMPATIBLE: {
    kind: 'user',
    retry: 'never',
    message: '{count} change(s) break data or readers\n{list}',
    hint: 'Nothing was applied. Change the definitions so that what is there stays valid, or apply them as they are with --allow-incompatible (in the library: allowIncompatible).',
  },
  REGISTRY_DIFFERS: {
    kind: 'user',
    retry: 'never',
    message: 'the definitions are not those of version {number}, which is applied\n{difference}',
    hint: 'Apply them with `millrace apply`, or start without definitions to run version {number} as it is.',
  },
  REGISTRY_EMPTY: {
    kind: 'user',
    retry: 'never',
    message: 'no definitions are applied in {place}',
    hint: 'Apply some with `millrace apply definitions.ts`, or start with `millrace dev definitions.ts`, which applies them.',
  },
  REGISTRY_NUMBER_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: 'there is no version {number}',
    hint: 'Applied were {versions}. `millrace versions` lists them.',
  },
  REGISTRY_CORRUPT: {
    kind: 'internal',
    retry: 'never',
    message: 'record {place} of the registry is damaged: {detail}',
    hint: 'Its checksum holds, so it was written this way. Nothing is applied past it: restore the log from a backup, or find out what wrote it.',
  },
  REGISTRY_VERSION_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: 'record {place} of the registry has format version {version}; this release reads {supported}',
    hint: 'It was written by a newer release. Run that release: the registry is never rewritten.',
  },
  SERVER_UNREACHABLE: {
    kind: 'external',
    retry: 'backoff',
    message: 'could not reach {url}: {detail}',
    hint: 'Start it with `millrace dev`, or name another address with --url.',
  },
  DURATION_MALFORMED: {
    kind: 'user',
    retry: 'never',
    message: 'duration "{text}" is not a whole number followed by ms, s, m, h or d',
    hint: 'Write a duration such as 250ms, 90s, 10m, 6h or 30d, of at most 100 years.',
  },
  NAME_UNDECLARED: {
    kind: 'user',
    retry: 'never',
    message: '{kind} "{name}" is not declared',
    hint: 'Declared are: {declared}. The nearest name is "{nearest}".',
  },
  EVENT_REFUSED: {
    kind: 'user',
    retry: 'never',
    message: '{count} event(s) for stream "{stream}" are refused; the first is number {index}: {faults}',
    hint: 'The other events of the call are durable. The refused ones are kept in the dead-letter-queue: do not resend them unchanged.',
  },
  REQUEST_MALFORMED: {
    kind: 'user',
    retry: 'never',
    message: 'the request is refused: {detail}',
    hint: '{allowed}',
  },
  VECTORS_UNREADABLE: {
    kind: 'user',
    retry: 'never',
    message: 'the bytes are no vectors: {detail}',
    hint: 'Give the whole body of an answer of type application/vnd.millrace.vectors.v1, as it came.',
  },
  REQUEST_TOO_LARGE: {
    kind: 'user',
    retry: 'never',
    message: 'the request has {size} {unit}; at most {limit} are allowed',
    hint: 'Send it in several smaller requests.',
  },
  REQUEST_TYPE_UNSUPPORTED: {
    kind: 'user',
    retry: 'never',
    message: 'the body is sent as {came}',
    hint: 'Send it uncompressed, with content-type {allowed}.',
  },
  ROUTE_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: 'there is no {method} {path}',
    hint: 'There are: {routes}.',
  },
  SERVICE_NOT_READY: {
    kind: 'external',
    retry: 'backoff',
    message: 'the service was not ready: {reasons}',
    hint: 'Send the request again after the seconds in the retry-after header. GET /ready says when it is ready.',
  },
  INTERNAL: {
    kind: 'internal',
    retry: 'never',
    message: 'the request {requestId} failed for a reason that is not in the request',
    hint: 'The log of the server says more under this request id. Nothing was acknowledged; sending events again is safe where they have an id.',
  },
  KEY_MALFORMED: {
    kind: 'user',
    retry: 'never',
    message: 'key "{name}" of entity "{entity}" is {came}',
    hint: 'Give {allowed}.',
  },
  AS_OF_TOO_OLD: {
    kind: 'user',
    retry: 'never',
    message:
      'view "{view}" answers exactly back to {horizon} before its newest event at {newest}; asOf {asOf} is older than that',
    hint: 'Read older instants with `millrace explain` (one entity) or `millrace train` (many): both go back to the log.',
  },
  LOG_CORRUPT: {
    kind: 'internal',
    retry: 'never',
    message: 'log segment {file} is damaged at byte {position}: {detail}',
    hint: 'Only what was never made durable is ever cut off, and this is not that. `millrace doctor` says what is damaged; restore the folder from a backup. Nothing was changed.',
  },
  LOG_VERSION_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: '{file} has format version {version}; this release reads {supported}',
    hint: 'A newer release wrote the log: open it with that release. Nothing was changed. Deleting the file would not help: the records it belongs to are of that release too.',
  },
  LOG_TOPIC_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: 'topic "{topic}" does not exist in the log',
    hint: 'Existing topics are: {topics}. Create the topic, or correct its name.',
  },
  LOG_TOPIC_MISMATCH: {
    kind: 'user',
    retry: 'never',
    message: 'topic "{topic}" has {existing} partitions and {asked} were asked for',
    hint: 'The number of partitions of a topic is fixed when it is created. Ask for {existing}, or use another topic.',
  },
  LOG_RETENTION_MISMATCH: {
    kind: 'user',
    retry: 'never',
    message: 'topic "{topic}" keeps its records for {existing}, and {asked} was asked for',
    hint: 'Declare what the topic has, or stop what runs in the folder and change the topic: `millrace retention` shows what would go and changes it with --apply.',
  },
  RETENTION_SHORT: {
    kind: 'user',
    retry: 'never',
    message: 'topic "{topic}" does not keep what stream "{stream}" needs\n{list}',
    hint: 'Keep its records for longer where the topic was created, or change the definitions as the lines say.',
  },
  LOG_RECORD_TOO_LARGE: {
    kind: 'user',
    retry: 'never',
    message: 'a record of {size} bytes is larger than the limit of {limit} bytes',
    hint: 'Send smaller events, or raise the limit of the log.',
  },
  LOG_OFFSET_OUT_OF_RANGE: {
    kind: 'external',
    retry: 'never',
    message: 'offset {offset} of {topic}/{partition} is outside what the log holds, [{start}, {end}]',
    hint: 'The log lost records that this reader still needed (retention, or another data folder). Restore the log, or delete the state and rebuild it from what the log still holds.',
  },
  LOG_CLOSED: {
    kind: 'user',
    retry: 'never',
    message: 'the log is closed',
    hint: 'Do not append or read after close().',
  },
  LOG_WRITE_FAILED: {
    kind: 'external',
    retry: 'never',
    message: 'could not write {topic}/{partition} durably: {detail}',
    hint: 'The partition has stopped, because what a failed fsync left on disk is not known. Check disk space and health, then restart: recovery keeps exactly what is whole.',
  },
  OUTPUT_WRITE_FAILED: {
    kind: 'external',
    retry: 'never',
    message: 'could not write what goes to {topics}: {detail}',
    hint: 'The source partitions whose rejected events or finished values these are have stopped; nothing of theirs is lost. Mend the cause, then restart.',
  },
  LOG_FOLDER_UNUSABLE: {
    kind: 'external',
    retry: 'never',
    message: 'could not use log folder {folder}: {detail}',
    hint: 'Check that the folder may be read and written, and that its disk has space and is healthy.',
  },
  LOG_PARTITION_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: 'topic "{topic}" has no partition {partition}',
    hint: 'It has {partitions} partitions, counted from 0.',
  },
  LOG_READ_FAILED: {
    kind: 'external',
    retry: 'backoff',
    message: 'could not read {topic}/{partition}: {detail}',
    hint: 'Check the health of the disk. What was read before this is whole.',
  },
  LOG_TOPIC_NAME_REFUSED: {
    kind: 'user',
    retry: 'never',
    message: 'topic name "{topic}" is refused: {detail}',
    hint: 'Use 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-", and not a name that differs from another only by case.',
  },
  RECORD_BATCH_MALFORMED: {
    kind: 'external',
    retry: 'never',
    message: 'the record batch at offset {offset} is damaged: {detail}',
    hint: 'Its checksum holds, so it was written this way. Find out which producer wrote it.',
  },
  RECORD_BATCH_UNSUPPORTED: {
    kind: 'external',
    retry: 'never',
    message: 'a record batch uses {what}, which this release does not read',
    hint: 'Have the producer write without it, or read with a release that knows it.',
  },
  MODEL_UNREADABLE: {
    kind: 'user',
    retry: 'never',
    message: 'could not read model {model} from {file}: {detail}',
    hint: 'A path is taken from the working directory; one beside the module is `new URL("model.onnx", import.meta.url)`.',
  },
  MODEL_REFUSED: {
    kind: 'user',
    retry: 'never',
    message: 'the file of model {model} is refused: {detail}',
    hint: '{allowed}',
  },
  MODEL_RUNTIME_MISSING: {
    kind: 'user',
    retry: 'never',
    message: 'the package {name} is not installed, or does not load here',
    hint: 'ONNX models need it: `npm install {name}@{version}`. Its install script only fetches CUDA libraries and may be left out.',
  },
  MODEL_MISFIT: {
    kind: 'user',
    retry: 'backoff',
    message: 'model {model} does not fit the definitions that are served\n{list}',
    hint: 'Once the applied version is built, try again; otherwise change the model, or the definitions back to what it was made for.',
  },
  SCORES_IN_CLUSTER: {
    kind: 'user',
    retry: 'never',
    message: 'a model scores events, and the process is to do a part of the work only',
    hint: 'A vector right after an event needs all views in one process: leave out the option `cluster`, or `score` of the model.',
  },
  MODEL_BUSY: {
    kind: 'external',
    retry: 'backoff',
    message: 'model {model} had {count} requests under way, which is its limit',
    hint: 'Send the request again a little later, or run more processes.',
  },
  PREDICTION_LATE: {
    kind: 'external',
    retry: 'backoff',
    message: 'model {model} gave nothing within {deadlineMs} ms',
    hint: 'Ask for fewer entities at once, or give it more time with deadlineMs.',
  },
  KAFKA_CLIENT_MISSING: {
    kind: 'user',
    retry: 'never',
    message: 'the package @platformatic/kafka is not installed',
    hint: 'A log in Kafka needs it: `npm install @platformatic/kafka@{version}`.',
  },
  KAFKA_OPTIONS_MALFORMED: {
    kind: 'user',
    retry: 'never',
    message: 'the options of the Kafka log are refused: {detail}',
    hint: 'Allowed is {allowed}.',
  },
  KAFKA_UNREACHABLE: {
    kind: 'external',
    retry: 'backoff',
    message: 'could not reach Kafka at {brokers}: {detail}',
    hint: 'Check that the brokers run, that these addresses and those they advertise (`advertised.listeners`) can be reached from here, and that TLS is asked for where the listener wants it, and only there.',
  },
  KAFKA_AUTHENTICATION_REFUSED: {
    kind: 'user',
    retry: 'never',
    message: 'Kafka at {brokers} refused to authenticate {user} with {mechanism}: {detail}',
    hint: 'Give the user name, password or token and the mechanism (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER) that the listener accepts.',
  },
  KAFKA_ACCESS_DENIED: {
    kind: 'user',
    retry: 'never',
    message: 'Kafka does not allow {user} to {action} {resource}',
    hint: 'An ACL is missing. Whoever administers the cluster can grant it: `kafka-acls --add --allow-principal User:NAME --operation {operation} {option}`.',
  },
  KAFKA_TOO_OLD: {
    kind: 'user',
    retry: 'never',
    message: 'the broker at {broker} does not speak {api} version {version}',
    hint: 'Apache Kafka 3.1 or newer is needed.',
  },
  KAFKA_REPLICAS_TOO_FEW: {
    kind: 'user',
    retry: 'never',
    message: 'topic "{topic}" is to have {replication} replicas, and the cluster has {brokers} broker(s)',
    hint: 'Add brokers, or give `replication: 1` where losing a disk may lose the log.',
  },
  KAFKA_TOPIC_REPLACED: {
    kind: 'external',
    retry: 'never',
    message: 'topic "{topic}" was deleted and created anew, or lost records that were read before: {detail}',
    hint: 'Its offsets mean other records now. Restore the topic, or delete the state and build it anew from what the topic holds.',
  },
  KAFKA_WRITE_FAILED: {
    kind: 'external',
    retry: 'never',
    message: 'could not write {topic}/{partition} to Kafka: {detail}',
    hint: 'It is not known whether these records are there. Look before you send them again; an event that has an id counts once however often it is sent.',
  },
  KAFKA_REQUEST_REFUSED: {
    kind: 'external',
    retry: 'never',
    message: 'Kafka refused to {action}: {detail}',
    hint: 'The detail is what the broker said. Its own log may say more.',
  },
  KAFKA_GROUP_REFUSED: {
    kind: 'user',
    retry: 'never',
    message: 'group "{group}" does not take this member: {detail}',
    hint: 'Two processes must not have one instance id, nor may others than millrace be in its group. `kafka-consumer-groups --describe --members --group {group}` shows who is in it.',
  },
  KAFKA_RECORDS_DAMAGED: {
    kind: 'external',
    retry: 'never',
    message: 'records of {topic}/{partition} from offset {offset} on came damaged: {detail}',
    hint: 'A disk or the network changed them. Compare with another replica; nothing of them was taken.',
  },
  FOLDER_IN_USE: {
    kind: 'user',
    retry: 'never',
    message: 'data folder {folder} is in use by process {pid}',
    hint: 'One process writes a data folder. Stop the other process, or give this one another folder.',
  },
  FOLDER_WITHOUT_LOG: {
    kind: 'user',
    retry: 'never',
    message: 'data folder {folder} holds no log',
    hint: 'Give the folder that `millrace dev` was started with. It makes the log when it first starts.',
  },
  FOLDER_NOT_EMPTY: {
    kind: 'user',
    retry: 'never',
    message: '{folder} exists and is not empty',
    hint: 'Give a folder that does not exist yet: nothing is ever overwritten.',
  },
  BACKUP_FAILED: {
    kind: 'external',
    retry: 'backoff',
    message: 'could not make the backup {out}: {detail}',
    hint: 'Nothing appeared under that name. Check disk space and permissions, then try again.',
  },
  BACKUP_DAMAGED: {
    kind: 'external',
    retry: 'never',
    message: 'backup {folder} is not whole: {detail}',
    hint: 'Nothing was restored. Take another backup, or another copy of this one.',
  },
  BACKUP_VERSION_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: '{file} has format version {version}; this release reads {supported}',
    hint: 'The backup was written by a newer release. Restore it with that release.',
  },
  RESTORE_FAILED: {
    kind: 'external',
    retry: 'backoff',
    message: 'could not restore into {folder}: {detail}',
    hint: 'Nothing appeared under that name. Check disk space and permissions, then try again.',
  },
  ADDRESS_UNUSABLE: {
    kind: 'external',
    retry: 'never',
    message: 'could not listen on {host} port {port}: {detail}',
    hint: 'Stop what listens there, or choose another port (0 picks a free one) or another address of this machine.',
  },
  STORE_OPEN_FAILED: {
    kind: 'external',
    retry: 'never',
    message: 'could not open the online store in {folder}: {detail}',
    hint: 'Check that the folder is writable and was written by this package, or delete it so that it is rebuilt from the log.',
  },
  STORE_KEY_SIZE: {
    kind: 'user',
    retry: 'never',
    message: 'a key of the online store has {size} bytes, and from 1 to {limit} are allowed',
    hint: 'Shorten the values of the join keys; hash what is longer before it is sent.',
  },
  STORE_WRITE_FAILED: {
    kind: 'external',
    retry: 'never',
    message: 'could not write the online store in {folder}: {detail}',
    hint: 'Nothing of that write is kept, and the store takes no further writes. Check disk space and health, then restart: recovery continues from the last whole write.',
  },
  STORE_FULL: {
    kind: 'user',
    retry: 'never',
    message: 'the online store in {folder} holds {size} bytes; {asked} more would pass its limit of {limit}',
    hint: 'Nothing of that write is kept. Raise the limit, or keep fewer keys or shorter windows.',
  },
  STORE_CLOSED: {
    kind: 'user',
    retry: 'never',
    message: 'the online store is closed',
    hint: 'Do not read or write after close().',
  },
  STATE_VERSION_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: '{what} has format version {version}; this release reads {supported}',
    hint: 'It was written by another release. Use that release, or delete the state so that it is rebuilt from the log.',
  },
  STATE_PAGE_DAMAGED: {
    kind: 'internal',
    retry: 'never',
    message: 'page {page} of a key is {what}, and its key says version {expected}',
    hint: 'Head and pages of a key are written together, so this is damage, or a mixture of two stores. `millrace doctor` says what else is wrong; restore the folder from a backup, or delete the state so that it is rebuilt from the log.',
  },
  STATE_FOREIGN: {
    kind: 'user',
    retry: 'never',
    message: 'the state in {folder} belongs to {what} {stored}, not to {current}',
    hint: 'Start with the definitions and the log that wrote it, or delete {folder} so that it is rebuilt from the log.',
  },
  PARTITION_HALTED: {
    kind: 'external',
    retry: 'never',
    message: 'partition {partition} of topic {topic} has stopped: {detail}',
    hint: 'The other partitions go on, and nothing of this one is lost. Mend the cause and restart: it goes on where it stopped.',
  },
  PLAN_SUPERSEDED: {
    kind: 'user',
    retry: 'never',
    message: 'plan {plan} gave way to plan {by} before it was ready',
    hint: 'What was served before is served until the newer plan is ready. Apply the older one again if it is the one you want.',
  },
  FORGOTTEN_MALFORMED: {
    kind: 'internal',
    retry: 'never',
    message: 'record {offset} of topic forgotten-entities cannot be read: {detail}',
    hint: 'Nothing is served as long as it is unknown what was to be forgotten. A newer version of millrace may have written it; otherwise restore the topic from a backup.',
  },
  ERASURE_MALFORMED: {
    kind: 'internal',
    retry: 'never',
    message: 'a record says of forgotten entities what cannot be read: {detail}',
    hint: 'Its partition stops, because nobody knows what the record counts for. A newer version of millrace may have compacted the folder; otherwise restore it from a backup.',
  },
  COMPACT_LOSES_STATE: {
    kind: 'user',
    retry: 'never',
    message:
      '{topic}/{partition} begins at offset {start}: what the state knows of the events before it cannot be rebuilt',
    hint: 'Compaction deletes the state, which is rebuilt from the log. With --accept-warming values are WARMING until their windows are covered again, and lifetimes begin anew.',
  },
  ENGINE_STOPPED: {
    kind: 'internal',
    retry: 'never',
    message: 'the engine has stopped: {detail}',
    hint: 'The first fault is the cause; restart after mending it. Nothing acknowledged is lost.',
  },
  HISTORY_UNDECLARED: {
    kind: 'user',
    retry: 'never',
    message: 'stream "{stream}" declares no history',
    hint: 'Declare `history` in its definition, with `until`: the instant at which files hand over to the topic.',
  },
  HISTORY_COMPLETE: {
    kind: 'user',
    retry: 'never',
    message:
      'the history of stream "{stream}" is complete in topic "{topic}", imported from other files or for other fields',
    hint: 'A history is imported once. To take another one instead, declare another `topic` in its `history`, such as {topic}.2, and import into that: the views of the stream are then built from it.',
  },
  HISTORY_TOPIC_TAKEN: {
    kind: 'user',
    retry: 'never',
    message: 'topic "{topic}" holds records that are not of this import: {detail}',
    hint: 'Give the files, in the order and with the definitions, with which the import was begun, and it goes on where it stopped. Or begin anew: declare another `topic` in the `history` of the stream, such as {topic}.2.',
  },
  HISTORY_ROWS_REFUSED: {
    kind: 'user',
    retry: 'never',
    message: '{count} of {rows} rows for stream "{stream}" would be refused\n{list}',
    hint: 'Nothing was imported. Mend the files; or import them as they are with --keep-refused (in the library: keepRefused): those rows are then in the dead-letter-queue, with their reasons.',
  },
  FILE_UNREADABLE: {
    kind: 'user',
    retry: 'never',
    message: 'could not read {file}: {detail}',
    hint: 'Give a readable .parquet or .csv file.',
  },
  FILE_COLUMN_MISSING: {
    kind: 'user',
    retry: 'never',
    message: '{file} has no column "{column}", which {what} needs',
    hint: 'Its columns are: {columns}. Rename the column, or correct the definition.',
  },
  FILE_WRITE_FAILED: {
    kind: 'external',
    retry: 'never',
    message: 'could not write {file}: {detail}',
    hint: 'Nothing appeared under that name; what was written so far is beside it, ending in .partial. Check the folder, the disk space and the permissions, then write it again.',
  },
  SPILL_FAILED: {
    kind: 'external',
    retry: 'never',
    message: 'could not use {file}, where a training set keeps what exceeds its memory: {detail}',
    hint: 'Check the folder and the disk space, or give it more memory. If it says that bytes were changed, remove the folder: it is made anew.',
  },
  FILE_VALUE_REFUSED: {
    kind: 'user',
    retry: 'never',
    message: '{file} row {row}: column "{column}" is {came}',
    hint: 'Give {allowed} in every row.',
  },
  ...modelFaults,
  ...clusterFaults,
} as const satisfies Record<string, Fault>

export type FaultCode = keyof typeof faults

type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never

/** The values that a code's two texts ask for. Leaving one out is a compile error. */
export type FaultDetails<Code extends FaultCode> = Readonly<
  Record<Placeholders<(typeof faults)[Code]['message' | 'hint']>, string | number>
>

/** An expected fault: a code of the catalogue with its texts filled in. */
export class MillraceError<Code extends FaultCode = FaultCode> extends Error {
  override readonly name = 'MillraceError'
  readonly code: Code
  readonly kind: Fault['kind']
  readonly retry: Fault['retry']
  readonly hint: string
  readonly details: Readonly<Record<string, string | number>>

  constructor(code: Code, details: FaultDetails<Code>, options?: ErrorOptions) {
    const fault: Fault = faults[code]
    super(fill(fault.message, details), options)
    this.code = code
    this.kind = fault.kind
    this.retry = fault.retry
    this.hint = fill(fault.hint, details)
    this.details = details
  }
}

function fill(text: string, details: Readonly<Record<string, string | number>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(details[name] ?? whole))
}

/** What an unknown thrown value says of itself, in one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
