/** What of a raw event streams declare: a tree of the steps of all their paths. */
export type DeclaredParts = ReadonlyMap<string, DeclaredParts>

export function declaredParts(paths: Iterable<string>): DeclaredParts {
  type Node = Map<string, Node>
  const root: Node = new Map()
  for (const path of paths) {
    let node = root
    for (const step of path.split('.')) {
      const next: Node = node.get(step) ?? new Map<string, Node>()
      node.set(step, next)
      node = next
    }
  }
  return root
}

type JsonObject = Record<string, unknown>

/** The JSON object of a raw event, also where a stream refuses its bytes or its depth; null when there is none. */
export function parseLoosely(raw: Uint8Array): JsonObject | null {
  try {
    const value: unknown = JSON.parse(loose.decode(raw))
    return isObject(value) ? value : null
  } catch {
    // What does not parse cannot be searched, and the caller counts it.
    return null
  }
}

const loose = new TextDecoder('utf-8')

/**
 * A copy that has nothing but the declared parts. What has another shape than any stream reads keeps that shape and
 * loses its content, so that it is refused as before.
 */
export function keepDeclared(value: JsonObject, parts: DeclaredParts): JsonObject {
  // Without a prototype: a field named `__proto__` is a field like any other.
  const kept = Object.create(null) as JsonObject
  for (const [step, inner] of parts) if (Object.hasOwn(value, step)) kept[step] = keepPart(value[step], inner)
  return kept
}

function keepPart(value: unknown, parts: DeclaredParts): unknown {
  if (Array.isArray(value)) return []
  if (isObject(value)) return keepDeclared(value, parts)
  // JSON has no way to write it again: a stream that reads a number refuses either.
  return typeof value === 'number' && !Number.isFinite(value) ? 'beyond every number' : value
}

/** Undefined where there is nothing. */
export function valueAt(object: JsonObject, path: string): unknown {
  let value: unknown = object
  for (const step of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, step)) return undefined
    value = value[step]
  }
  return value
}

/** Only where there is a value already. */
export function replaceAt(object: JsonObject, path: string, value: unknown): void {
  const steps = path.split('.')
  const last = steps.pop()!
  const holder = steps.length === 0 ? object : valueAt(object, steps.join('.'))
  if (isObject(holder) && Object.hasOwn(holder, last)) holder[last] = value
}

function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
