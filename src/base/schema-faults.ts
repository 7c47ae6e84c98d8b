/** Those of registries of schemas, and of what records were written with. Part of `faults`. */
export const schemaFaults = {
  SCHEMA_REGISTRY_UNNAMED: {
    kind: 'user',
    retry: 'never',
    message: 'a stream is in Avro, and neither its definition nor the environment names a registry',
    hint: 'Set SCHEMA_REGISTRY_URL, or name it in the format: avro with registry "http://host:8081".',
  },
  SCHEMA_REGISTRY_UNREACHABLE: {
    kind: 'external',
    retry: 'backoff',
    message: 'could not ask the schema registry {url}: {detail}',
    hint: 'No record was refused for it. Mend the registry or the way to it, then restart: reading goes on where it stopped. What its numbers mean is kept in topic writer-schemas once it was asked.',
  },
  SCHEMA_REGISTRY_REFUSED: {
    kind: 'external',
    retry: 'never',
    message: 'the schema registry {url} refuses: {detail}',
    hint: 'No record was refused for it. Check the address, and SCHEMA_REGISTRY_USER and SCHEMA_REGISTRY_PASSWORD or SCHEMA_REGISTRY_TOKEN, which go to SCHEMA_REGISTRY_URL only; then restart.',
  },
  WRITER_SCHEMAS_MALFORMED: {
    kind: 'internal',
    retry: 'never',
    message: 'record {offset} of topic writer-schemas cannot be read: {detail}',
    hint: 'Nobody knows what its records were written with. A newer version of millrace may have written it; otherwise restore the topic from a backup.',
  },
  WRITER_SCHEMA_UNDECIDED: {
    kind: 'user',
    retry: 'never',
    message:
      'schema {id} of {topic}/{partition}@{offset} is unknown to the registry, and the stream has not come to it yet',
    hint: 'Who only reads the log must not decide what becomes of the record. Run the definitions until they have read it, or read no further than to it.',
  },
} as const
