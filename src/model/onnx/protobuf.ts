/** One field of an encoded message. `number` is set for varints, `bytes` for what has a length. */
export type WireField =
  | { readonly field: number; readonly number: number; readonly bytes: null }
  | { readonly field: number; readonly number: null; readonly bytes: Uint8Array | null }

/** Bytes that are no protobuf message, or one written in a way that nobody writes. */
export class WireError extends Error {}

/**
 * The fields of an encoded protobuf message, in the order in which they come. A field that a reader takes to be single
 * may come several times: parsers merge those, so a check has to look at each.
 */
export function* readFields(bytes: Uint8Array): Generator<WireField> {
  let at = 0
  /** Exact up to 2^53; what is larger is no field number and no length, and as a value only has to be unequal to 0. */
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) throw new WireError('it breaks off inside a number')
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new WireError('a number has more than 10 bytes')
  }
  const skip = (size: number): Uint8Array => {
    if (size > bytes.length - at) throw new WireError('it breaks off inside a field')
    at += size
    return bytes.subarray(at - size, at)
  }
  while (at < bytes.length) {
    const tag = varint()
    const field = Math.floor(tag / 8)
    if (field < 1 || field > 0x1fff_ffff) throw new WireError(`there is a field ${field}`)
    switch (tag % 8) {
      case 0:
        yield { field, number: varint(), bytes: null }
        break
      case 1:
        skip(8)
        yield { field, number: null, bytes: null }
        break
      case 2:
        yield { field, number: null, bytes: skip(varint()) }
        break
      case 5:
        skip(4)
        yield { field, number: null, bytes: null }
        break
      default:
        throw new WireError(`field ${field} has wire type ${tag % 8}`)
    }
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Throws `WireError`. */
export function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (error) {
    throw new WireError('a text is not UTF-8', { cause: error })
  }
}
