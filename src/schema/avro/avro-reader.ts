import { type Decoded, eventBytesMax, type Refusal } from '../decode.ts'
import { AvroFault, AvroInput } from './avro-input.ts'
import { AvroSink, type AvroTarget } from './avro-sink.ts'
import type { AvroType } from './avro-type.ts'
import type { AvroStep } from './avro-value.ts'
import { resolveAvro } from './resolve-avro.ts'

/** Reads targets out of the Avro bytes of one writer's schema. One event is read again and again into the same place. */
export class AvroReader {
  readonly sink: AvroSink
  readonly #input = new AvroInput()
  readonly #step: AvroStep

  constructor(type: AvroType, targets: readonly AvroTarget[]) {
    this.sink = new AvroSink(targets)
    this.#step = resolveAvro(type, targets)
  }

  /** Reads what follows `start`, to the last byte; what is wrong with the whole of it, or null. Then ask the sink. */
  read(raw: Uint8Array, start: number): Refusal | null {
    const { sink } = this
    sink.clear()
    if (raw.length > eventBytesMax) {
      const allowed = `at most ${eventBytesMax} bytes`
      return { code: 'SIZE', path: '', came: `${raw.length} bytes`, allowed }
    }
    sink.text.load(raw)
    this.#input.load(sink.text.bytes, start, raw.length)
    try {
      this.#step(this.#input, sink)
      if (this.#input.left > 0) {
        sink.where = ''
        throw new AvroFault(`${this.#input.left} bytes follow its end`)
      }
    } catch (error) {
      if (!(error instanceof AvroFault)) throw error
      return { code: error.code, path: sink.where, came: error.message, allowed: "what the writer's schema says" }
    }
    return null
  }

  decode(raw: Uint8Array, start: number): Decoded {
    const fault = this.read(raw, start)
    if (fault !== null) return { refusals: [fault] }
    if (this.sink.isRefused) return { refusals: this.sink.refusals }
    return { row: this.sink.row(this.sink.targets.length) }
  }
}
