import { assert } from '../../base/assert.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'
import { sha256 } from '../../base/hash.ts'
import type { ModelPlan } from '../../plan/model-plan.ts'
import { failAll, type ModelRows, type ModelRunner, type RunResult } from '../runner.ts'
import {
  findUnfit,
  type InputTensor,
  matchInputs,
  matchOutputs,
  type Misfit,
  type OutputColumn,
  packInput,
  readOutputs,
  runFitting,
} from '../tensors.ts'
import { checkOnnx } from './check-onnx.ts'
import type { OnnxRuntime, OnnxSession } from './runtime.ts'

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
  assert(typeof from !== 'function' && from.type === 'onnx', 'the model is a file')
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
    const { plan, inputs } = this.#parts
    const unfit = (row: number): string | null => {
      const column = findUnfit(inputs, rows, row)
      return column === null ? null : plan.inputs[column]!.name
    }
    return await runFitting(rows, unfit, (fitting) => this.#run(fitting))
  }

  async #run(rows: ModelRows): Promise<readonly RunResult[]> {
    const { runtime, session, inputs, outputs } = this.#parts
    const feeds = Object.fromEntries(
      inputs.map((input) => {
        const { type, data, dims } = packInput(input, rows)
        return [input.name, new runtime.Tensor(type, data, dims)]
      }),
    )
    let given: Awaited<ReturnType<OnnxSession['run']>>
    try {
      given = await session.run(feeds, this.#fetches)
    } catch (cause) {
      return failAll(rows, { reason: 'MODEL_THREW', detail: 'the runtime could not run the model', cause })
    }
    return readOutputs(given, outputs, rows)
  }

  async close(): Promise<void> {
    await this.#parts.session.release()
  }
}
