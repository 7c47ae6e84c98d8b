import type { Field } from './field.ts'

/** What an expression gives, besides null. A list is of numbers (`oneHot`), or of one of the others (`lastK`). */
export type ValueType =
  | { readonly kind: 'string' | 'int' | 'float' | 'boolean' | 'timestamp' }
  | { readonly kind: 'decimal'; readonly scale: number }
  | { readonly kind: 'list'; readonly of: ScalarType }

export type ScalarType = Exclude<ValueType, { kind: 'list' }>

export type TypedNullable = { readonly type: ValueType; readonly nullable: boolean }

export function typeOfField(field: Field): ScalarType {
  return field.kind === 'decimal' ? { kind: 'decimal', scale: field.scale ?? 0 } : { kind: field.kind }
}

export function isNumeric(type: ValueType): boolean {
  return type.kind === 'int' || type.kind === 'float' || type.kind === 'decimal'
}

/** As an author reads it: `decimal(2)`, `list of int`. */
export function nameOfType(type: ValueType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.scale})`
    case 'list':
      return `list of ${nameOfType(type.of)}`
    default:
      return type.kind
  }
}
