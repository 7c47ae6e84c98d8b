import { MillraceError } from '../../base/faults.ts'
import type { Prediction } from '../../model/predictor.ts'
import { experimentDataTopic, inferenceRequestsTopic, modelInputTopic, predictionsTopic } from '../../plan/topics.ts'
import type { EntityKeys } from '../../serve/entity-key.ts'
import type { Answer, AnswerContext, Request } from '../../stream/answerer.ts'
import { exposureOf, exposureRecord } from '../experiments/exposure.ts'
import type { Assigned, Experiments } from '../experiments/experiments.ts'
import type { Models, TakenModel } from '../models.ts'
import { inputText, predictionText } from './answer-text.ts'
import { ask, type Asked, askedBefore, predictAll } from './asked.ts'
import {
  type AnswerSource,
  answerRecord,
  memberOf,
  parseLogRequest,
  reasonOf,
  refuse,
  textMember,
} from './log-request.ts'

const name = inferenceRequestsTopic
const modelCharsMax = 256
/** A request that waits in the log is in no hurry; but no model may hold up a partition for ever. */
const deadlineMs = 10_000

export const inferenceAnswering = { name, requests: inferenceRequestsTopic, answers: predictionsTopic } as const

type Source = AnswerSource & { readonly models: Models; readonly experiments: Experiments | null }

/** `inference-requests` → vector → `model-input` → model → `predictions`. */
export function makeInferenceAnswers(
  source: Source,
  count: (outcome: string) => void,
): (requests: readonly Request[], context: Pick<AnswerContext, 'partition'>) => Promise<Answer[]> {
  return async (requests, { partition }) => {
    const taken = new Map<string, TakenModel>()
    const nowMs = source.now()
    const questions = requests.map((request): Question | Answer => {
      try {
        return questionFor(request, source, taken)
      } catch (error) {
        return refuse(request, reasonFor(error), { name, topic: inferenceRequestsTopic, partition, nowMs })
      }
    })
    const asked = questions.filter((one) => 'asked' in one)
    const predictions = await predictAll(
      asked.map((one) => one.asked),
      deadlineMs,
    )
    const answeredMs = source.now()
    let next = 0
    return questions.map((one, index): Answer => {
      if (!('asked' in one)) {
        count('refused')
        return one
      }
      const { record } = requests[index]!
      const prediction = predictions[next++]!
      count(prediction.outcome)
      const answer = answerRecord(record, predictionText(one.asked, prediction, answeredMs), answeredMs)
      const input = { topic: modelInputTopic, record: answerRecord(record, inputText(one.asked), nowMs) }
      const exposure = noteExposure(source, { request: requests[index]!, question: one, prediction, nowMs, answeredMs })
      return { answer, besides: [...(one.isNew ? [input] : []), ...exposure] }
    })
  }
}

/** Tells the experiment of its answer, and gives the record of it, unless that is there. */
function noteExposure(
  { experiments }: Source,
  {
    request,
    question,
    prediction,
    nowMs,
    answeredMs,
  }: {
    readonly request: Request
    readonly question: Question
    readonly prediction: Prediction
    readonly nowMs: number
    readonly answeredMs: number
  },
): NonNullable<Answer['besides']> {
  const { assigned, asked } = question
  if (assigned === null) return []
  experiments!.told(assigned, { failed: prediction.outcome === 'failed', latencyMs: answeredMs - nowMs })
  if (assigned.arm === null || request.found.has(experimentDataTopic)) return []
  const about = { experiment: assigned.experiment.name, unit: assigned.unit, arm: assigned.arm, shadow: false }
  const exposure = exposureOf({ ...about, model: asked.taken.name }, prediction, answeredMs)
  return [{ topic: experimentDataTopic, record: exposureRecord(assigned.unit, exposure, answeredMs) }]
}

/** `isNew`: its vector was read just now, and is not in the log yet. */
type Question = { readonly asked: Asked; readonly isNew: boolean; readonly assigned: Assigned | null }

function questionFor({ record, found }: Request, source: Source, known: Map<string, TakenModel>): Question {
  const { reader, models, experiments } = source
  const { object, requestId, userId, keys, asOf } = parseLogRequest(record)
  const named = textMember(object, 'model', modelCharsMax)
  const assigned =
    experiments?.has(named) === true
      ? experiments.assign(named, subjectOf(experiments.unit(named), object, keys))
      : null
  const model = assigned?.model ?? named
  let taken = known.get(model)
  if (taken === undefined) known.set(model, (taken = models.take(model, reader.plan)))
  const about = {
    request_id: requestId,
    ...(userId === null ? {} : { user_id: userId }),
    ...(assigned === null ? {} : { experiment_id: named, variant: assigned.arm }),
  }
  const before = found.get(modelInputTopic)
  const again = before === undefined ? null : askedBefore(about, taken, before)
  if (again !== null) return { asked: again, isNew: false, assigned }
  return { asked: ask({ about, keys, taken }, reader, { asOf: asOf ?? source.now() }), isNew: true, assigned }
}

/** Whom an experiment is about: a join key, or a member of the request itself. */
function subjectOf(unit: string, object: Readonly<Record<string, unknown>>, keys: EntityKeys): unknown {
  return Object.hasOwn(keys, unit) ? keys[unit] : memberOf(object, unit)
}

/** A model that is not there, or does not fit, is no fault of the request's form: it says which name it is. */
function reasonFor(error: unknown): ReturnType<typeof reasonOf> {
  const reason = reasonOf(error)
  const isOfModel = error instanceof MillraceError && ['NAME_UNDECLARED', 'MODEL_MISFIT'].includes(error.code)
  return isOfModel ? { ...reason, path: 'model' } : reason
}
