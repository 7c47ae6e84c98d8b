/** How the events of a stream are written. Without one they are JSON objects. */
export type Format = AvroFormat | DebeziumFormat

/** Plain data. Of registry and schema one is given; neither: the registry that the process names. */
export type AvroFormat = {
  readonly kind: 'avro'
  /** Address of a registry that speaks Confluent's API. */
  readonly registry: string | null
  /** JSON text of the one schema that every event is written with. */
  readonly schema: string | null
}

export type DebeziumFormat = {
  readonly kind: 'debezium'
  /** The fields that are the table's primary key. */
  readonly key: readonly string[]
  /** How JSON without its schema has decimals as text; null: it has none. */
  readonly decimals: 'text' | 'base64' | null
  /** Null: JSON. */
  readonly encoding: AvroFormat | null
}

/**
 * Events in Avro. With a registry, each begins with a zero and the number of its writer's schema, as Confluent's
 * serializers write it; JSON objects are taken beside them. Without options the registry is the one that
 * SCHEMA_REGISTRY_URL names. With a schema, each event is a bare body of that schema and nothing else is taken.
 */
export function avro(options: { readonly registry?: string } | { readonly schema: object | string } = {}): AvroFormat {
  const schema = 'schema' in options ? options.schema : null
  return Object.freeze({
    kind: 'avro',
    registry: 'registry' in options ? (options.registry ?? null) : null,
    schema: schema === null || typeof schema === 'string' ? schema : JSON.stringify(schema),
  })
}

export type DebeziumOptions = {
  /** The fields that are the table's primary key: all that a deletion still says of its row. */
  readonly key: readonly string[]
  /**
   * How JSON without its schema writes decimals: Debezium's `decimal.handling.mode` is `precise` (`base64`, whose scale
   * must be the field's) or `string` (`text`). Default: as numbers only, since one text may be both.
   */
  readonly decimals?: 'text' | 'base64'
  /** Default: JSON, with its schema or without. */
  readonly encoding?: AvroFormat
}

/**
 * Change events of a table, as Debezium writes them: each event is a row as it is from then on. Fields are columns of
 * the row. A path that begins with two underscores leads into what comes with it: `__op`, `__ts_ms`, `__source.ts_ms`,
 * `__transaction.id`; and `__deleted` is true where the row is gone, and everything but its key is then null.
 */
export function debezium(options: DebeziumOptions): DebeziumFormat {
  return Object.freeze({
    kind: 'debezium',
    key: Object.freeze([...options.key]),
    decimals: options.decimals ?? null,
    encoding: options.encoding ?? null,
  })
}

/** Whether events are bodies of one schema, which nothing tells from other bytes. */
export function isBare(avro: AvroFormat | null): boolean {
  return avro !== null && avro.schema !== null
}

/** The Avro in a format, if there is any. */
export function avroOf(format: Format | undefined): AvroFormat | null {
  if (format === undefined) return null
  return format.kind === 'avro' ? format : format.encoding
}
