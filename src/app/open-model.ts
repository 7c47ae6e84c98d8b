import { open } from 'node:fs/promises'
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { MillraceError, messageOf } from '../base/faults.ts'
import type { Model } from '../definition/declared-model.ts'
import type { Log } from '../log/log.ts'
import { makeFallbackRunner, makeOutputRunner } from '../model/fallback-runner.ts'
import { makeFunctionRunner } from '../model/function-runner.ts'
import { checkGolden } from '../model/golden.ts'
import { openOnnxRunner } from '../model/onnx/onnx-runner.ts'
import { loadOnnxRuntime } from '../model/onnx/runtime.ts'
import { openRemoteRunner } from '../model/remote/remote-runner.ts'
import type { ModelRunner } from '../model/runner.ts'
import type { RemotePlan } from '../plan/check-remote.ts'
import { compileDeclared, type DeclaredVersion } from '../plan/model-declaration.ts'
import { compileModels, type ModelPlan } from '../plan/model-plan.ts'
import type { Plan } from '../plan/plan.ts'
import { readArtefact } from '../registry/models/artefacts.ts'
import type { ModelDescription } from '../registry/models/pushed-model.ts'
import type { ModelVersion } from '../registry/models/registered-model.ts'
import { LoadedModel } from './loaded-model.ts'
import { readTraining } from './watching/read-training.ts'

/** Loads a model that comes with the process. Throws `MODEL_UNREADABLE`, `MODEL_REFUSED`, `MODEL_RUNTIME_MISSING`. */
export async function openDeclaredModel(model: Model, plan: ModelPlan, clock: Clock): Promise<LoadedModel> {
  const training = await readTraining(model.training)
  const runner = await openRunner(plan, clock)
  const name = { name: plan.name, version: plan.version, checksum: runner.checksum }
  return new LoadedModel({ name, runner, training, compile: (served) => compileModels([model], served)[0]! })
}

/**
 * Loads a version from the registry: its artefact is read from the log and has the checksum it was pushed with, passes
 * the checks of every artefact, and gives what its golden samples say. Throws `MODEL_ARTEFACT_CORRUPT`, `DEFINITION`,
 * `MODEL_REFUSED`, `MODEL_GOLDEN_FAILED`, `MODEL_RUNTIME_MISSING`.
 */
export async function openRegisteredModel(
  name: string,
  version: ModelVersion,
  { log, plan }: { readonly log: Log; readonly plan: Plan },
): Promise<LoadedModel> {
  const artefact = await readArtefact(log, version.artefact)
  return await openVersion({ ...version, name }, artefact, plan)
}

/** The same of an artefact that is at hand. */
export async function openVersion(
  declared: DeclaredVersion & Pick<ModelDescription, 'golden' | 'training'>,
  artefact: Uint8Array,
  plan: Plan,
): Promise<LoadedModel> {
  const { name, version, golden } = declared
  const modelPlan = compileDeclared(declared, plan)
  const runner = await openOnnxRunner(modelPlan, artefact, await loadOnnxRuntime())
  const detail = golden === null ? null : await checkGolden(modelPlan, runner, golden)
  if (detail !== null) {
    await runner.close()
    throw new MillraceError('MODEL_GOLDEN_FAILED', { model: name, version, detail })
  }
  return new LoadedModel({
    name: { name, version, checksum: runner.checksum },
    runner,
    training: new Map(Object.entries(declared.training?.spreads ?? {})),
    compile: (served) => compileDeclared(declared, served),
  })
}

async function openRunner(plan: ModelPlan, clock: Clock): Promise<ModelRunner> {
  const { from } = plan
  if (typeof from === 'function') return makeFunctionRunner(plan)
  if (from.type === 'remote') return await openRemote(plan, from, clock)
  assert(from.type === 'onnx', 'versions of the registry are opened by their own function')
  let file: Uint8Array
  try {
    file = await readStart(from.file, from.bytesMax + 1)
  } catch (error) {
    const details = { model: plan.name, file: String(from.file), detail: messageOf(error) }
    throw new MillraceError('MODEL_UNREADABLE', details, { cause: error })
  }
  return await openOnnxRunner(plan, file, await loadOnnxRuntime())
}

async function openRemote(plan: ModelPlan, { fallback }: RemotePlan, clock: Clock): Promise<ModelRunner> {
  const runner = await openRemoteRunner(plan, { clock, environment: process.env })
  if (fallback === null) return runner
  try {
    const instead =
      typeof fallback !== 'function' && fallback.type === 'output'
        ? makeOutputRunner(plan, fallback.output)
        : await openRunner({ ...plan, from: fallback }, clock)
    return makeFallbackRunner(plan, runner, instead)
  } catch (error) {
    await runner.close()
    throw error
  }
}

/** At most so many bytes: of a file that is too large no more is needed to see that. */
export async function readStart(file: string | URL, bytesMax: number): Promise<Uint8Array> {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const bytes = Buffer.alloc(Math.min(size, bytesMax))
    let at = 0
    while (at < bytes.length) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at, at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return bytes.subarray(0, at)
  } finally {
    await handle.close()
  }
}
