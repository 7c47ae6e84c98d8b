import type { VectorShape } from './prepared-vector.ts'
import type { VectorRows } from './vector-rows.ts'

/** The parts of an answer that are the same for every read of a target. */
type Constants = { readonly service: string; readonly features: string }

const constants = new WeakMap<VectorShape, Constants>()

/**
 * Rows as the JSON that `POST /v1/features` answers:
 *
 * ```text
 * {"service":…,"asOf":…,"features":[…],"rows":[{"asOf":…,"values":[…],"status":[…],"ageMs":[…]}, …],"prefix":{…}}
 * ```
 *
 * `status` and `ageMs` are there where they were asked for. Put together from texts and plain lists, so that neither
 * names are written again nor objects made. Lists go to `JSON.stringify`: it prints numbers faster than code of ours,
 * whether into bytes or not (`bench/answers.ts`).
 */
export function vectorJson(rows: VectorRows): string {
  const { shape, size, instant, asOf, values, full, status, ageMs, prefix } = rows
  const { service, features } = constantsOf(shape)
  const width = shape.names.length
  let text = `{"service":${service},"asOf":${JSON.stringify(instant)},"features":${features},"rows":[`
  for (let row = 0; row < size; row++) {
    const [start, end] = [row * width, (row + 1) * width]
    text += `${row === 0 ? '' : ','}{"asOf":${asOf[row]},"values":${JSON.stringify(values.slice(start, end))}`
    if (full) {
      text += `,"status":${JSON.stringify(status.slice(start, end))},"ageMs":${JSON.stringify(ageMs.slice(start, end))}`
    }
    text += '}'
  }
  return `${text}],"prefix":${JSON.stringify(prefix)}}`
}

function constantsOf(shape: VectorShape): Constants {
  let found = constants.get(shape)
  if (found === undefined) {
    found = { service: JSON.stringify(shape.service), features: JSON.stringify(shape.names) }
    constants.set(shape, found)
  }
  return found
}
