/**
 * An array of `length` holes to be filled from the front. Growing one by pushing copies it over and over, which
 * doubles the time of reading a column.
 */
export function sizedArray<Value>(length: number): Value[] {
  // oxlint-disable-next-line unicorn/no-new-array -- `Array.from({ length })` fills in undefined, and numbers stored later are boxed.
  return new Array<Value>(length)
}
