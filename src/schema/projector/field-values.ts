/**
 * The values of one event by field, until the next one is projected. What is no text is a number: a decimal its scaled
 * integer, an instant its milliseconds, true 1 and false 0, and NaN for null. A text is `[starts, ends)` of the event's
 * bytes, which have it as it is; both are -1 for null.
 */
export type FieldValues = {
  readonly numbers: Float64Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

export function makeFieldValues(count: number): FieldValues {
  return { numbers: new Float64Array(count), starts: new Int32Array(count), ends: new Int32Array(count) }
}

export function setNull(values: FieldValues, index: number): void {
  values.numbers[index] = Number.NaN
  values.starts[index] = -1
  values.ends[index] = -1
}
