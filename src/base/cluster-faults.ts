import type { Fault } from './fault.ts'

/** Those that come of several processes sharing the work. Part of the one catalogue, `faults`. */
export const clusterFaults = {
  STATE_RECORD_FOREIGN: {
    kind: 'user',
    retry: 'never',
    message: 'the record at offset {offset} of {topic} is no state that millrace wrote',
    hint: 'Nothing else may write there. Delete the topic, so that it is written anew, or give a namespace of its own.',
  },
  STATE_TOPIC_DAMAGED: {
    kind: 'external',
    retry: 'never',
    message: 'partition {partition} of {topic} does not hold the states that its last checkpoint says',
    hint: 'The states are built anew from the accepted events, as far as those are kept. Look for who else writes to the topic, and for a compaction that is less than an hour behind.',
  },
  STATE_WORK_DIFFERS: {
    kind: 'user',
    retry: 'never',
    message:
      'the states in partition {partition} of {topic} are of other definitions ({stored}) than these ({current})',
    hint: 'A cluster does not change streams and views that are running. Run the new definitions in a namespace of their own, or stop all processes and delete the topics ingest-state.*, processed-events.* and feature-state.*: everything is built anew from the events.',
  },
  TASK_FENCED: {
    kind: 'external',
    retry: 'backoff',
    message: 'partition {partition} of {topic} was taken over: epoch {by} is there, this process had {epoch}',
    hint: 'Another process works on it, and nothing is lost. If none should, look for a second process of the same partitions.',
  },
  PROCESSED_RECORD_FOREIGN: {
    kind: 'user',
    retry: 'never',
    message: 'the record at offset {offset} of {topic} is none that millrace wrote',
    hint: 'Nothing else may write there. Delete the topic, so that it is written anew, or give a namespace of its own.',
  },
  PROCESSED_SOURCE_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: 'the record at offset {offset} of {topic}/{partition} comes from "{source}", which no stream reads',
    hint: 'It was written by other definitions. Run these in a namespace of their own, or delete the topics ingest-state.*, processed-events.* and feature-state.*.',
  },
  EVENTS_MISSING: {
    kind: 'external',
    retry: 'backoff',
    message: 'events of {source} up to offset {to} are missing in {topic}/{partition}, which has them up to {next}',
    hint: 'Nothing behind them is counted before they are there. They are sent again when the partition of the stream is taken anew: restart the process that has it; or delete its partition of ingest-state.*.',
  },
  KEY_ELSEWHERE: {
    kind: 'user',
    retry: 'never',
    message: 'this key of {entity} is in partition {partition} of {topic}, which this process does not have',
    hint: 'Ask a process that has it; this one has {here}. A process with the role `serve` can have all of them.',
  },
  STATE_RESTORING: {
    kind: 'external',
    retry: 'backoff',
    message: 'partition {partition} of {topic} is being restored',
    hint: 'Ask again in a moment.',
  },
  CLUSTER_UNSUPPORTED: {
    kind: 'user',
    retry: 'never',
    message: 'not in a cluster: {what}',
    hint: '{instead}',
  },
} as const satisfies Record<string, Fault>
