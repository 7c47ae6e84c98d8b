import type { FeatureValue } from '../aggregation.ts'

/**
 * The values of one aggregate or feature, read by read. NaN is null; a boolean is 0 or 1, a text its place in `texts`.
 * Lists are as they are.
 */
export type SweptColumn =
  | { readonly kind: 'number' | 'boolean'; readonly values: Float64Array }
  | { readonly kind: 'text'; readonly values: Float64Array; readonly texts: readonly string[] }
  | { readonly kind: 'list'; readonly values: readonly FeatureValue[] }

export function valueAt(column: SweptColumn, read: number): FeatureValue {
  const value = column.values[read]!
  if (column.kind === 'list' || value === null) return value
  if (Number.isNaN(value)) return null
  if (column.kind === 'boolean') return value === 1
  return column.kind === 'text' ? column.texts[value as number]! : value
}

/** From plain values, each of them null or of the kind. */
export function sweptColumn(kind: SweptColumn['kind'], values: readonly FeatureValue[]): SweptColumn {
  if (kind === 'list') return { kind, values }
  const numbers = new Float64Array(values.length)
  if (kind !== 'text') {
    for (let read = 0; read < values.length; read++) {
      const value = values[read]
      numbers[read] = value === null ? Number.NaN : Number(value)
    }
    return { kind, values: numbers }
  }
  const places = new Map<string, number>()
  for (let read = 0; read < values.length; read++) {
    const value = values[read] as string | null
    if (value !== null && !places.has(value)) places.set(value, places.size)
    numbers[read] = value === null ? Number.NaN : places.get(value)!
  }
  return { kind, values: numbers, texts: [...places.keys()] }
}
