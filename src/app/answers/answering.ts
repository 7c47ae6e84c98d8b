import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../log/log.ts'
import {
  computedFeaturesTopic,
  deadLetterTopic,
  experimentDataTopic,
  modelInputTopic,
  predictionsTopic,
} from '../../plan/topics.ts'
import type { OnlineStore } from '../../store/online/online-store.ts'
import { Answerer, type AnswererOptions, type AnsweredPartition } from '../../stream/answerer.ts'
import type { Experiments } from '../experiments/experiments.ts'
import type { Models } from '../models.ts'
import type { AnswerCounts } from './answer-counts.ts'
import { featureAnswering, makeFeatureAnswers } from './feature-requests.ts'
import { inferenceAnswering, makeInferenceAnswers } from './inference-requests.ts'
import type { AnswerSource } from './log-request.ts'

type Place = {
  readonly log: Log
  readonly store: OnlineStore
  readonly clock: Clock
  /** Of topics that do not exist yet. */
  readonly partitions: number
}

type Source = AnswerSource & {
  readonly models: Models
  readonly experiments: Experiments | null
  readonly counts: AnswerCounts
}

/** What answers the requests that come through the log, in one process. */
export class Answering {
  readonly #answerers: Answerer[] = []
  #starting: Promise<void> | null = null
  #isClosed = false

  private constructor() {}

  /** Creates the topics. Answers nothing yet. */
  static async open(source: Source, place: Place): Promise<Answering> {
    const answering = new Answering()
    const { counts } = source
    const [features, predictions] = [counts.of(computedFeaturesTopic), counts.of(predictionsTopic)]
    const kinds = [
      { ...featureAnswering, besides: [deadLetterTopic], answer: makeFeatureAnswers(source, features) },
      {
        ...inferenceAnswering,
        besides: [deadLetterTopic, modelInputTopic, ...(source.experiments === null ? [] : [experimentDataTopic])],
        answer: makeInferenceAnswers(source, predictions),
      },
    ]
    for (const kind of kinds) {
      await createTopics(kind, place)
      answering.#answerers.push(new Answerer({ ...kind, ...place }))
    }
    return answering
  }

  /** Begins once `ready` resolves or rejects: nobody is to be answered from what was known long ago. */
  start(ready: Promise<void>): void {
    this.#starting = ready
      // What keeps it from catching up is told elsewhere, and each answer says what its values have seen.
      .catch(() => undefined)
      .then(() => {
        if (!this.#isClosed) for (const answerer of this.#answerers) answerer.start()
      })
  }

  /** Where each partition of the requests stands, and what has stopped. */
  get partitions(): readonly AnsweredPartition[] {
    return this.#answerers.flatMap(({ partitions }) => partitions)
  }

  /** Resolves once every request that is durable now is answered. */
  async caughtUp(): Promise<void> {
    await this.#starting
    await Promise.all(this.#answerers.map((answerer) => answerer.caughtUp()))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#answerers.map((answerer) => answerer.close()))
  }
}

/** Requests of a topic that exists are answered on as many partitions as it has. */
async function createTopics(
  { requests, answers, besides }: Pick<AnswererOptions, 'requests' | 'answers' | 'besides'>,
  { log, partitions }: Place,
): Promise<void> {
  const find = (topic: string) => log.topics().find((one) => one.topic === topic)
  if (find(requests) === undefined) await log.createTopic(requests, { partitions })
  const missing = [answers, ...besides].filter((topic) => find(topic) === undefined)
  for (const topic of missing) await log.createTopic(topic, { partitions: find(requests)!.partitions })
}
