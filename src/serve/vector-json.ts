import { JsonBytes } from '../base/json-bytes.ts'
import type { FeatureStatus } from '../plan/finish-view.ts'
import type { VectorShape } from './prepared-vector.ts'
import type { VectorRows } from './vector-rows.ts'

const comma = 0x2c
const colon = 0x3a
const closeBracket = 0x5d
const closeBrace = 0x7d

/** The parts of an answer that are the same for every read of a target. */
type Constants = { readonly head: Uint8Array; readonly features: Uint8Array }

/**
 * Writes rows as the JSON that `POST /v1/features` answers:
 *
 * ```text
 * {"service":…,"asOf":…,"features":[…],"rows":[{"asOf":…,"values":[…],"status":[…],"ageMs":[…]}, …],"prefix":{…}}
 * ```
 *
 * `status` and `ageMs` are there where they were asked for.
 */
export class VectorJson {
  readonly #json = new JsonBytes()
  readonly #constants = new WeakMap<VectorShape, Constants>()

  /** One character per byte, to be sent as latin1. */
  write(rows: VectorRows): string {
    const json = this.#json
    const { head, features } = this.#constantsOf(rows.shape)
    json.reset()
    json.raw(head)
    json.value(rows.instant)
    json.raw(features)
    for (let row = 0; row < rows.size; row++) {
      if (row > 0) json.byte(comma)
      this.#row(rows, row)
    }
    json.raw(parts.prefix)
    writePrefix(json, rows.prefix)
    json.byte(closeBrace)
    return json.finishLatin1()
  }

  #row({ shape, asOf, values, full, status, ageMs }: VectorRows, row: number): void {
    const json = this.#json
    const start = row * shape.names.length
    const end = start + shape.names.length
    json.raw(parts.asOf)
    json.number(asOf[row]!)
    json.raw(parts.values)
    for (let index = start; index < end; index++) {
      if (index > start) json.byte(comma)
      json.value(values[index]!)
    }
    json.byte(closeBracket)
    if (full) {
      json.raw(parts.status)
      for (let index = start; index < end; index++) {
        if (index > start) json.byte(comma)
        json.raw(statusBytes[status[index]!])
      }
      json.raw(parts.ageMs)
      for (let index = start; index < end; index++) {
        if (index > start) json.byte(comma)
        json.value(ageMs[index]!)
      }
      json.byte(closeBracket)
    }
    json.byte(closeBrace)
  }

  #constantsOf(shape: VectorShape): Constants {
    let found = this.#constants.get(shape)
    if (found === undefined) {
      found = {
        head: Buffer.from(`{"service":${JSON.stringify(shape.service)},"asOf":`),
        features: Buffer.from(`,"features":${JSON.stringify(shape.names)},"rows":[`),
      }
      this.#constants.set(shape, found)
    }
    return found
  }
}

/** The members of the prefix, and the brace that ends it. */
export function writePrefix(json: JsonBytes, prefix: VectorRows['prefix']): void {
  let isFirst = true
  for (const stream of Object.keys(prefix)) {
    if (!isFirst) json.byte(comma)
    isFirst = false
    json.text(stream)
    json.byte(colon)
    json.list(prefix[stream]!)
  }
  json.byte(closeBrace)
}

const parts = {
  asOf: Buffer.from('{"asOf":'),
  values: Buffer.from(',"values":['),
  status: Buffer.from(',"status":['),
  ageMs: Buffer.from('],"ageMs":['),
  prefix: Buffer.from('],"prefix":{'),
}

const statusBytes: Readonly<Record<FeatureStatus, Uint8Array>> = {
  PRESENT: Buffer.from('"PRESENT"'),
  NULL_VALUE: Buffer.from('"NULL_VALUE"'),
  NOT_FOUND: Buffer.from('"NOT_FOUND"'),
  OUTSIDE_MAX_AGE: Buffer.from('"OUTSIDE_MAX_AGE"'),
  WARMING: Buffer.from('"WARMING"'),
}
