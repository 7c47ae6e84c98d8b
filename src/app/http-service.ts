import { undeclared } from '../plan/find.ts'
import { definitionsFromJson } from '../registry/definitions-json.ts'
import { differenceLines } from '../registry/difference.ts'
import { readModelDescription } from '../registry/models/pushed-model.ts'
import type { ApplyRequest, ApplyResponse, HttpService, PredictResponse } from '../serve/http-service.ts'
import type { Actions } from './actions/actions.ts'
import type { Mill } from './mill.ts'
import { changeAnswer } from './model-versions.ts'
import type { Predictions } from './models.ts'
import { summaryOf } from './versions.ts'

/**
 * A running mill as the HTTP server sees it.
 *
 * @param thrown is told what a model threw, which no client is.
 */
export function makeHttpService(
  mill: Mill,
  metrics: HttpService['metrics'],
  thrown: (model: string, cause: unknown) => void = () => undefined,
): HttpService {
  const reasons = (): string[] => {
    const { fault } = mill.engine
    const unanswered = (mill.answering?.partitions ?? []).flatMap((one) =>
      one.fault === null ? [] : [{ topic: one.topic, partition: one.partition, fault: one.fault }],
    )
    const stopped = [...mill.engine.halted, ...unanswered].map(
      (one) => `partition ${one.partition} of ${one.topic} has stopped: ${one.fault.message}`,
    )
    const unlogged = mill.experiments?.fault ?? null
    stopped.push(...(mill.actions?.faults ?? []))
    if (unlogged !== null) stopped.push(`experiments are not recorded any more: ${unlogged.message}`)
    const unlisted = mill.predictionLog?.fault ?? null
    if (unlisted !== null) stopped.push(`predictions are not logged any more: ${unlisted.message}`)
    return fault === null ? stopped : [fault.message, ...stopped]
  }
  return {
    ingest: async (stream, bodies) => await mill.ingest(stream, bodies),
    read: ({ target, entities, ...options }) => mill.reader.readRows(mill.reader.prepare(target), entities, options),
    predict: async (request) => {
      const given = await mill.predictMany(request)
      for (const one of given.predictions) {
        if (one.outcome === 'failed' && one.cause !== undefined) thrown(given.model.name, one.cause)
      }
      return predictResponse(given)
    },
    forget: async ({ entity, keys }) => await mill.forget(entity, keys),
    replay: async (request) => await mill.replays.replay(request),
    fix: async (request) => await mill.replays.fix(request),
    health: () => ({ healthy: reasons().length === 0, reasons: reasons() }),
    ready: () => ({
      ready: mill.engine.fault === null && !mill.closing,
      reasons: mill.closing ? ['shutting down'] : reasons(),
    }),
    metrics,
    registry: () => mill.versions.state(),
    version: (number) => mill.versions.version(number),
    actions: () => mill.actions?.states ?? [],
    stopAction: async (name, note) => await actionsOf(mill, name).stop(name, note),
    resumeAction: async (name, options) => await actionsOf(mill, name).resume(name, options),
    apply: (request) => apply(mill, request),
    models: () => mill.modelVersions.states(),
    model: (name) => mill.modelVersions.history(name),
    pushModel: async ({ model, description, artefact, ...options }) => {
      const pushed = { model, description: readModelDescription(description), artefact }
      return changeAnswer(await mill.modelVersions.push(pushed, options))
    },
    changeModel: async ({ model, action, ...options }) =>
      changeAnswer(await mill.modelVersions.change({ model, action }, options)),
  }
}

/** Without what was thrown inside the model, which is for its keeper alone. */
function predictResponse({ predictions, ...about }: Predictions): PredictResponse {
  return {
    ...about,
    predictions: predictions.map((one) => {
      if (one.outcome !== 'failed') return one
      const { cause: _, ...told } = one
      return told
    }),
  }
}

/** Throws `NAME_UNDECLARED`. */
function actionsOf({ actions }: Mill, name: string): Actions {
  if (actions === null) throw undeclared('action', name, [])
  return actions
}

async function apply(mill: Mill, { change, ...options }: ApplyRequest): Promise<ApplyResponse> {
  const { version, changed, difference, stopped } = await ('rollback' in change
    ? mill.versions.rollback(change.rollback, options)
    : mill.versions.apply(definitionsFromJson(change.definitions), options))
  return { version: summaryOf(version), changed, difference: differenceLines(difference), stopped }
}
