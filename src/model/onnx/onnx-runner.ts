import { assert } from '../../base/assert.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'
import { sha256 } from '../../base/hash.ts'
import type { ModelPlan } from '../../plan/model-plan.ts'
import { failAll, type ModelRows, type ModelRunner, type RunResult } from '../runner.ts'
import { checkOnnx } from './check-onnx.ts'
import type { OnnxRuntime, OnnxSession } from './runtime.ts'
import {
  canHold,
  type InputTensor,
  matchInputs,
  matchOutputs,
  type Misfit,
  type OutputColumn,
  packInput,
  unpackOutput,
} from './tensors.ts'

/**
 * An ONNX file in this process, all rows of a request in one run. What is loaded are the bytes that were checked, so a
 * file that changes meanwhile, or that names other files, gets nowhere. It has run once before it is handed out.
 *
 * A run is synchronous inside the runtime: it holds up everything else for as long as it takes.
 *
 * Throws `MODEL_REFUSED`.
 */
export async function openOnnxRunner(plan: ModelPlan, file: Uint8Array, runtime: OnnxRuntime): Promise<ModelRunner> {
  const { from } = plan
  assert(typeof from !== 'function', 'the model is a file')
  const refuse = ({ detail, allowed }: Misfit, cause?: unknown): MillraceError =>
    new MillraceError('MODEL_REFUSED', { model: plan.name, detail, allowed }, { cause })
  if (file.length > from.bytesMax) {
    throw refuse({ detail: `it has more than ${from.bytesMax} bytes`, allowed: 'See bytesMax of onnx().' })
  }
  const checksum = sha256(file)
  if (from.sha256 !== null && from.sha256.toLowerCase() !== checksum) {
    throw refuse({ detail: `its SHA-256 is ${checksum}`, allowed: `The model declares ${from.sha256}.` })
  }
  const refusal = checkOnnx(file)
  if (refusal !== null) throw refuse(refusal)
  let session: OnnxSession
  try {
    session = await runtime.InferenceSession.create(file, sessionOptions)
  } catch (error) {
    const allowed = 'Give a model that onnxruntime 1.30 loads: see its message.'
    throw refuse({ detail: messageOf(error), allowed }, error)
  }
  try {
    const inputs = matchInputs(session.inputMetadata, plan.inputs)
    if ('detail' in inputs) throw refuse(inputs)
    const outputs = matchOutputs(session.outputMetadata, plan.outputs, from.outputs)
    if ('detail' in outputs) throw refuse(outputs)
    const runner = new OnnxRunner({ plan, runtime, session, inputs, outputs, checksum })
    const failure = await runner.tryOut()
    if (failure !== null) throw refuse({ detail: `a first run failed: ${failure}`, allowed: 'Mend the model.' })
    return runner
  } catch (error) {
    await session.release()
    throw error
  }
}

/** One thread: requests are many and models small, and the event loop, which waits for it, has one as well. */
const sessionOptions = {
  executionProviders: ['cpu'],
  executionMode: 'sequential',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  // Only what is an error: the runtime writes to this process's own standard error.
  logSeverityLevel: 3,
}

type Parts = {
  readonly plan: ModelPlan
  readonly runtime: OnnxRuntime
  readonly session: OnnxSession
  readonly inputs: readonly InputTensor[]
  readonly outputs: readonly OutputColumn[]
  readonly checksum: string
}

class OnnxRunner implements ModelRunner {
  readonly checksum: string
  readonly #parts: Parts
  readonly #fetches: readonly string[]

  constructor(parts: Parts) {
    this.#parts = parts
    this.checksum = parts.checksum
    this.#fetches = [...new Set(parts.outputs.map(({ tensor }) => tensor))]
  }

  /** Runs two rows of zeros: what shape comes out is only known then. Numbers are not looked at. */
  async tryOut(): Promise<string | null> {
    const width = this.#parts.plan.inputs.length
    const results = await this.run({ size: 2, width, values: Array.from({ length: 2 * width }, () => 0) })
    const failed = results.find((result) => 'failure' in result)
    if (failed === undefined || !('failure' in failed)) return null
    const { detail, cause } = failed.failure
    return cause === undefined ? detail : `${detail}: ${messageOf(cause)}`
  }

  /** Rows that the tensors cannot hold fail by themselves; the others are run. */
  async run(rows: ModelRows): Promise<readonly RunResult[]> {
    const unfit = Array.from({ length: rows.size }, (_, row) => this.#unfit(rows, row))
    if (unfit.every((name) => name === null)) return await this.#run(rows)
    const { values, width } = rows
    const fit = unfit.flatMap((name, row) => (name === null ? values.slice(row * width, (row + 1) * width) : []))
    const size = unfit.filter((name) => name === null).length
    const results = size === 0 ? [] : await this.#run({ size, width, values: fit })
    let next = 0
    return unfit.map((name) => {
      if (name === null) return results[next++]!
      return { failure: { reason: 'INPUT_UNUSABLE', detail: `the tensor cannot hold the value of ${name}` } }
    })
  }

  async #run(rows: ModelRows): Promise<readonly RunResult[]> {
    const { runtime, session, inputs, outputs } = this.#parts
    const feeds = Object.fromEntries(inputs.map((tensor) => [tensor.name, packInput(runtime, tensor, rows)]))
    let given: Awaited<ReturnType<OnnxSession['run']>>
    try {
      given = await session.run(feeds, this.#fetches)
    } catch (cause) {
      return failAll(rows, { reason: 'MODEL_THREW', detail: 'the runtime could not run the model', cause })
    }
    const columns: unknown[][] = []
    for (const place of outputs) {
      const column = unpackOutput(given[place.tensor], place, rows.size)
      if (column === null) {
        const dims = given[place.tensor]?.dims.join(', ') ?? ''
        const detail = `output "${place.tensor}" has the shape [${dims}] for ${rows.size} rows, column ${place.column}`
        return failAll(rows, { reason: 'OUTPUT_SHAPE', detail })
      }
      columns.push(column)
    }
    return Array.from({ length: rows.size }, (_, row) => ({ outputs: columns.map((column) => column[row]) }))
  }

  /** The first input whose value its tensor cannot hold. */
  #unfit({ values, width }: ModelRows, row: number): string | null {
    for (const { type, columns } of this.#parts.inputs) {
      const column = columns.find((one) => !canHold(type, values[row * width + one]!))
      if (column !== undefined) return this.#parts.plan.inputs[column]!.name
    }
    return null
  }

  async close(): Promise<void> {
    await this.#parts.session.release()
  }
}
