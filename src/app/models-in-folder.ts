import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { Log } from '../log/log.ts'
import { ModelRegistry } from '../registry/models/model-registry.ts'
import { type ModelAction, type ModelChangeOptions, type ModelPlace, changeModel, pushModel } from './model-changes.ts'
import {
  changeAnswer,
  type ModelChangeAnswer,
  modelHistory,
  type ModelHistory,
  modelState,
  type ModelState,
} from './model-versions.ts'
import { openRegisteredModel } from './open-model.ts'
import { type LogPlace, openLog, openLogToRead } from './open-log.ts'
import type { ModelDescription } from '../registry/models/pushed-model.ts'
import { openRegistry } from './versions.ts'

/** Where the models are: a data folder, or a log elsewhere that processes of any number may be at work on. */
export type ModelsPlace = { readonly folder: string; readonly log: LogPlace | undefined; readonly clock?: Clock }

/** The models of the registry, also while a millrace runs. Throws `FOLDER_WITHOUT_LOG`. */
export async function readModels(place: ModelsPlace): Promise<readonly ModelState[]> {
  return await reading(place, ({ models }) => models.map((model) => modelState(model, null)))
}

/** One of them. Throws `FOLDER_WITHOUT_LOG`, `NAME_UNDECLARED`. */
export async function readModel(name: string, place: ModelsPlace): Promise<ModelHistory> {
  return await reading(place, (registry) => modelHistory(registry.model(name)))
}

/** Pushes a model where no process runs, or beside those of a log elsewhere. Throws as `pushModel` does. */
export async function pushModelIn(
  place: ModelsPlace,
  pushed: { readonly model: string; readonly description: ModelDescription; readonly artefact: Uint8Array },
  options: ModelChangeOptions,
): Promise<ModelChangeAnswer> {
  return await changing(place, async (models) => changeAnswer(await pushModel(models, pushed, options)))
}

/** The same of another change. What is to answer is loaded here first, as it will be where it answers. */
export async function changeModelIn(
  place: ModelsPlace,
  change: { readonly model: string; readonly action: ModelAction },
  options: ModelChangeOptions,
): Promise<ModelChangeAnswer> {
  return await changing(place, async (models) => {
    const done = await changeModel(models, change, {
      ...options,
      prepare: async (version, plan) => {
        const loaded = await openRegisteredModel(change.model, version, { log: models.log, plan })
        await loaded.close()
      },
    })
    return changeAnswer(done)
  })
}

async function reading<T>(
  { folder, log: logPlace, clock }: ModelsPlace,
  read: (registry: ModelRegistry) => T,
): Promise<T> {
  const log = await openLogToRead(folder, logPlace, clock)
  try {
    return read(await ModelRegistry.open(log))
  } finally {
    await log.close()
  }
}

async function changing<T>(place: ModelsPlace, change: (models: ModelPlace) => Promise<T>): Promise<T> {
  const { folder, clock = systemClock } = place
  const log = await openExisting(place, clock)
  try {
    const registry = await openRegistry(log)
    if (registry.applied === null) throw new MillraceError('REGISTRY_EMPTY', { place: folder })
    const { plan } = registry.compiled(registry.number)
    return await change({ log, clock, models: await ModelRegistry.open(log), plan: () => plan })
  } finally {
    await log.close()
  }
}

/** A log that is not there yet has no definitions either, which a model could fit: none is made. */
async function openExisting({ folder, log }: ModelsPlace, clock: Clock): Promise<Log> {
  if (log === undefined) {
    await access(join(folder, 'log')).catch((error: unknown) => {
      throw new MillraceError('FOLDER_WITHOUT_LOG', { folder }, { cause: error })
    })
  }
  return await openLog(folder, log, clock)
}
