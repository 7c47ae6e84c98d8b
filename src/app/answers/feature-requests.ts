import { computedFeaturesTopic, featureRequestsTopic } from '../../plan/topics.ts'
import { formatInstant } from '../../schema/instant.ts'
import { describe, type JsonObject } from '../../schema/decode.ts'
import type { FeatureStatus } from '../../plan/finish-view.ts'
import type { VectorTarget } from '../../serve/prepared-vector.ts'
import type { Answer, AnswerContext, Request } from '../../stream/answerer.ts'
import { planDigits } from '../../stream/feature-record.ts'
import {
  type AnswerSource,
  answerRecord,
  memberOf,
  parseLogRequest,
  reasonOf,
  Refused,
  refuse,
  textMember,
} from './log-request.ts'

const name = featureRequestsTopic

/**
 * `feature-requests` → `computed-features`: a vector for one set of keys, with what it has seen.
 *
 * The values are those of the moment of answering, or as of the instant that is asked for; in either case of the prefix
 * that the answer names, at which a training set gives the same.
 */
export function makeFeatureAnswers(
  source: AnswerSource,
  count: (outcome: string) => void,
): (requests: readonly Request[], context: Pick<AnswerContext, 'partition'>) => Promise<Answer[]> {
  return (requests, { partition }) => {
    const nowMs = source.now()
    const answers = requests.map((request): Answer => {
      try {
        const answer = answerRecord(request.record, JSON.stringify(vectorFor(source, request, nowMs)), nowMs)
        count('served')
        return { answer }
      } catch (error) {
        count('refused')
        return refuse(request, reasonOf(error), { name, topic: featureRequestsTopic, partition, nowMs })
      }
    })
    return Promise.resolve(answers)
  }
}

export const featureAnswering = { name, requests: featureRequestsTopic, answers: computedFeaturesTopic } as const

function vectorFor(source: AnswerSource, { record }: Request, nowMs: number): object {
  const { object, requestId, userId, keys, asOf = nowMs } = parseLogRequest(record)
  const { reader } = source
  const prepared = reader.prepare(targetOf(object))
  const rows = reader.readRows(prepared, [keys], { asOf, full: true })
  const { names, service } = prepared.shape
  const features = Object.fromEntries(names.map((feature, index) => [feature, rows.values[index]]))
  return {
    request_id: requestId,
    ...(userId === null ? {} : { user_id: userId }),
    outcome: 'served',
    ...(service === null ? {} : { service }),
    keys,
    as_of: formatInstant(rows.asOf[0]!),
    features,
    status: statusOf(names, rows.status),
    prefix: rows.prefix,
    plan: reader.plan.hash.slice(0, planDigits),
    timestamp: formatInstant(nowMs),
  }
}

/** Of each value that is not PRESENT. */
function statusOf(names: readonly string[], status: readonly FeatureStatus[]): Record<string, FeatureStatus> {
  return Object.fromEntries(
    names.flatMap((feature, index) => (status[index] === 'PRESENT' ? [] : [[feature, status[index]!]])),
  )
}

const serviceCharsMax = 256
const featuresMax = 1_000

function targetOf(object: JsonObject): VectorTarget {
  const features = memberOf(object, 'features')
  if (features === undefined) return { service: textMember(object, 'service', serviceCharsMax) }
  const isList = Array.isArray(features) && features.length > 0 && features.length <= featuresMax
  if (!isList || !features.every((one) => typeof one === 'string')) {
    throw new Refused('TYPE', 'features', describe(features), `1 to ${featuresMax} of "view:feature"`)
  }
  return { features: features as string[] }
}
