declare const nullability: unique symbol

export type FieldKind = 'string' | 'int' | 'float' | 'decimal' | 'boolean' | 'timestamp'

/** What one whole unit of a numeric timestamp is. */
export type TimestampUnit = 's' | 'ms' | 'us'

/**
 * A typed field of an event or a join key. `Null` is `null` when the field may be without a value.
 *
 * Values inside: string; int a safe integer; float a finite number; decimal its scaled integer; boolean; timestamp
 * epoch milliseconds (finer input is floored).
 */
export interface Field<Kind extends FieldKind = FieldKind, Null extends null = null> {
  readonly kind: Kind
  /** Digits after the point of a decimal; null for every other kind. */
  readonly scale: number | null
  /** The unit of a timestamp given as a number; null when only ISO 8601 text is allowed. */
  readonly unit: TimestampUnit | null
  /** Whether the raw event may say null here, or leave the field out altogether. */
  readonly presence: 'required' | 'nullable' | 'optional'
  /** Where the raw event has the value, such as `payload.properties.amount`; null: under the field's own name. */
  readonly path: string | null
  readonly [nullability]?: Null

  /** May be null or absent. */
  optional(): Field<Kind, null>
  /** May be null, but must be there. */
  nullable(): Field<Kind, null>
  /** Reads the value at a dotted path of the raw event. */
  at(path: string): Field<Kind, Null>
}

export type Fields = Readonly<Record<string, Field>>

export const string = (): Field<'string', never> => makeField('string')

/** A whole number within ±(2^53 − 1). */
export const int = (): Field<'int', never> => makeField('int')

/** A finite number of at most 2^960 in magnitude. */
export const float = (): Field<'float', never> => makeField('float')

/** An exact number with `scale` digits after the point (0 to 9): `decimal(2)` for money. Sums of it are exact. */
export const decimal = (scale: number): Field<'decimal', never> => makeField('decimal', { scale })

export const boolean = (): Field<'boolean', never> => makeField('boolean')

/** An instant: ISO 8601 text with a zone; or, when a unit is declared, a number of that unit since 1970 as well. */
export const timestamp = (unit?: TimestampUnit): Field<'timestamp', never> =>
  makeField('timestamp', { unit: unit ?? null })

type Shape = Partial<Pick<Field, 'scale' | 'unit' | 'presence' | 'path'>>

function makeField<Kind extends FieldKind, Null extends null>(kind: Kind, shape: Shape = {}): Field<Kind, Null> {
  return Object.freeze({
    kind,
    scale: shape.scale ?? null,
    unit: shape.unit ?? null,
    presence: shape.presence ?? 'required',
    path: shape.path ?? null,
    optional: () => makeField<Kind, null>(kind, { ...shape, presence: 'optional' }),
    nullable: () => makeField<Kind, null>(kind, { ...shape, presence: 'nullable' }),
    at: (path: string) => makeField<Kind, Null>(kind, { ...shape, path }),
  })
}

type KindValue = {
  string: string
  int: number
  float: number
  decimal: number
  boolean: boolean
  timestamp: number
}

type NullOf<F> = F extends { readonly [nullability]?: infer Null } ? Extract<Null, null> : never

/** The TypeScript value of a field: what a reader gets. */
export type FieldValue<F extends Field> = KindValue[F['kind']] | NullOf<F>

type InputValue<F extends Field> = F['kind'] extends 'timestamp'
  ? number | string
  : F['kind'] extends 'decimal'
    ? number | string
    : KindValue[F['kind']]

type OptionalNames<F extends Fields> = {
  [K in keyof F & string]: [NullOf<F[K]>] extends [never] ? never : K
}[keyof F & string]

/** The flat event that `send` takes: timestamps and decimals may be text, nullable fields may be left out. */
export type EventInput<F extends Fields> = {
  readonly [K in Exclude<keyof F & string, OptionalNames<F>>]: InputValue<F[K]>
} & { readonly [K in OptionalNames<F>]?: InputValue<F[K]> | null | undefined }

export type NullabilityOf<F extends Field> = NullOf<F>

/** Dotted path of a field inside the raw event. */
export function pathOf(name: string, field: Field): string {
  return field.path ?? name
}
