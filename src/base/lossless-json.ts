/**
 * JSON whose numbers stay the text that they came as: 1e999, 0.10 and whole numbers beyond 2^53 are written back as
 * they were read. The engines of Node have it since 22; TypeScript's own library does not know of it yet.
 */
const json = JSON as unknown as {
  parse(text: string, revive: (name: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): unknown
  isRawJSON(value: unknown): boolean
}

/** As `JSON.parse`, but for numbers, which are opaque. Recurses: the nesting has to be bounded before. */
export function parseLossless(text: string): unknown {
  return json.parse(text, (_name, value, { source }) =>
    typeof value === 'number' && source !== undefined ? json.rawJSON(source) : value,
  )
}

/** Whether it is an object of JSON, and not one of the numbers that `parseLossless` gives, an array or null. */
export function isLosslessObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !json.isRawJSON(value)
}
