import { MillraceError } from '../../base/faults.ts'
import { inferenceRequestsTopic, modelInputTopic, predictionsTopic } from '../../plan/topics.ts'
import type { Answer, Request } from '../../stream/answerer.ts'
import type { Models, TakenModel } from '../models.ts'
import { ask, type Asked, askedBefore, modelInputOf, predictAll, predictionOf } from './asked.ts'
import { type AnswerSource, answerRecord, parseLogRequest, reasonOf, refuse, textMember } from './log-request.ts'

const name = inferenceRequestsTopic
const modelCharsMax = 256
/** A request that waits in the log is in no hurry; but no model may hold up a partition for ever. */
const deadlineMs = 10_000

export const inferenceAnswering = { name, requests: inferenceRequestsTopic, answers: predictionsTopic } as const

/** `inference-requests` → vector → `model-input` → model → `predictions`. */
export function makeInferenceAnswers(
  source: AnswerSource & { readonly models: Models },
  count: (outcome: string) => void,
): (requests: readonly Request[], partition: number) => Promise<Answer[]> {
  return async (requests, partition) => {
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
      const answer = answerRecord(record, predictionOf(one.asked, prediction, answeredMs), answeredMs)
      if (!one.isNew) return { answer }
      return {
        answer,
        besides: [{ topic: modelInputTopic, record: answerRecord(record, modelInputOf(one.asked), nowMs) }],
      }
    })
  }
}

/** `isNew`: its vector was read just now, and is not in the log yet. */
type Question = { readonly asked: Asked; readonly isNew: boolean }

function questionFor(
  { record, found }: Request,
  source: AnswerSource & { readonly models: Models },
  known: Map<string, TakenModel>,
): Question {
  const { reader, models } = source
  const { object, requestId, userId, keys, asOf } = parseLogRequest(record)
  const model = textMember(object, 'model', modelCharsMax)
  let taken = known.get(model)
  if (taken === undefined) known.set(model, (taken = models.take(model, reader.plan)))
  const about = { request_id: requestId, ...(userId === null ? {} : { user_id: userId }) }
  const before = found.get(modelInputTopic)
  const again = before === undefined ? null : askedBefore(about, taken, before)
  if (again !== null) return { asked: again, isNew: false }
  return { asked: ask({ about, keys, taken }, reader, { asOf: asOf ?? source.now() }), isNew: true }
}

/** A model that is not there, or does not fit, is no fault of the request's form: it says which name it is. */
function reasonFor(error: unknown): ReturnType<typeof reasonOf> {
  const reason = reasonOf(error)
  const isOfModel = error instanceof MillraceError && ['NAME_UNDECLARED', 'MODEL_MISFIT'].includes(error.code)
  return isOfModel ? { ...reason, path: 'model' } : reason
}
