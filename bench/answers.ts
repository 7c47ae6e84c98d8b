import { decodeVectors } from 'millrace'
import type { ValueType } from '../src/schema/value-type.ts'
import { VectorBinary } from '../src/serve/vector-binary.ts'
import { vectorJson } from '../src/serve/vector-json.ts'
import { makeVectorRows, type VectorRows } from '../src/serve/vector-rows.ts'
import { type Bench, type BenchRow, compare } from './harness.ts'

const bench: Bench = {
  name: 'answers',
  describe:
    'Answers to reads of 1, 10 and 100 entities x 10, 50 and 250 features: written as JSON and in bytes against JSON.stringify of an object, read against JSON.parse',
  async run(context) {
    const rows: BenchRow[] = []
    const binary = new VectorBinary()
    for (const entities of [1, 10, 100]) {
      for (const features of [10, 50, 250]) {
        const given = makeRows(entities, features)
        const size = `${entities} x ${features}`
        const times = Math.max(10, Math.round((context.quick ? 20_000 : 200_000) / (entities * features)))
        const each = (work: () => unknown) => () => cpuMicros(work, times)
        const [text, bytes] = [vectorJson(given), binary.write(given)]
        const stringify = {
          what: `JSON.stringify of an object, ${size}`,
          measure: each(() => JSON.stringify(objectOf(given))),
        }
        const pairs = [
          [{ what: `written as JSON, ${size}`, measure: each(() => vectorJson(given)) }, stringify],
          [{ what: `written in bytes, ${size}`, measure: each(() => binary.write(given)) }, stringify],
          [
            { what: `decodeVectors, ${size}`, measure: each(() => decodeVectors(bytes)) },
            { what: `JSON.parse, ${size}`, measure: each(() => JSON.parse(text) as unknown) },
          ],
        ] as const
        for (const [contender, peer] of pairs) {
          rows.push(...(await compare(context, { contender, peer, unit: 'us', better: 'lower' })))
        }
        rows.push({ what: `JSON, ${size}`, value: Buffer.byteLength(text), unit: 'bytes' })
        rows.push({ what: `bytes, ${size}`, value: bytes.length, unit: 'bytes' })
      }
    }
    return rows
  },
}

export const { name, describe, run } = bench

/** CPU time: what others on the machine do meanwhile counts less. */
function cpuMicros(work: () => unknown, times: number): number {
  const before = process.cpuUsage()
  for (let n = 0; n < times; n++) work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}

/** Counts, amounts and means in turn. */
function makeRows(entities: number, features: number): VectorRows {
  const kinds: readonly ValueType[] = [{ kind: 'int' }, { kind: 'decimal', scale: 2 }, { kind: 'float' }]
  const values = Array.from({ length: entities * features }, (_, index) => {
    const kind = (index % features) % 3
    return kind === 0 ? index % 97 : kind === 1 ? ((index * 37) % 20_000) / 100 : ((index + 1) * 1.37) / 7
  })
  return {
    ...makeVectorRows(),
    shape: {
      service: 'fifty',
      names: Array.from({ length: features }, (_, index) => `amount_mean_${index}`),
      types: Array.from({ length: features }, (_, index) => kinds[index % 3]!),
      views: Array.from({ length: features }, () => 0),
    },
    size: entities,
    instant: 1_700_000_000_000,
    prefix: { payments: [15_001, 14_870, 15_100, 15_029] },
    asOf: Array.from({ length: entities }, () => 1_700_000_000_000),
    values,
  }
}

function objectOf({ shape, size, instant, asOf, values, prefix }: VectorRows): object {
  const width = shape.names.length
  const rows = Array.from({ length: size }, (_, row) => ({
    asOf: asOf[row],
    values: values.slice(row * width, (row + 1) * width),
  }))
  return { service: shape.service, asOf: instant, features: shape.names, rows, prefix }
}
