import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../log/log.ts'
import { deadLetterTopic } from '../../plan/topics.ts'
import type { OnlineStore } from '../../store/online/online-store.ts'
import { Answerer, type AnsweredPartition } from '../../stream/answerer.ts'
import type { AnswerSource } from './log-request.ts'
import { featureAnswering, makeFeatureAnswers } from './feature-requests.ts'

type Place = {
  readonly log: Log
  readonly store: OnlineStore
  readonly clock: Clock
  /** Of topics that do not exist yet. */
  readonly partitions: number
}

/** What answers the requests that come through the log, in one process. */
export class Answering {
  readonly #answerers: readonly Answerer[]
  #starting: Promise<void> | null = null
  #isClosed = false

  private constructor(answerers: readonly Answerer[]) {
    this.#answerers = answerers
  }

  /** Creates the topics. Answers nothing yet. */
  static async open(mill: AnswerSource, place: Place): Promise<Answering> {
    const kinds = [{ ...featureAnswering, besides: [deadLetterTopic], answer: makeFeatureAnswers(mill) }]
    const answerers: Answerer[] = []
    for (const kind of kinds) {
      await createPair(kind, place)
      answerers.push(new Answerer({ ...kind, ...place }))
    }
    return new Answering(answerers)
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
async function createPair(
  { requests, answers }: { readonly requests: string; readonly answers: string },
  { log, partitions }: Place,
): Promise<void> {
  const find = (topic: string) => log.topics().find((one) => one.topic === topic)
  if (find(requests) === undefined) await log.createTopic(requests, { partitions })
  if (find(answers) === undefined) await log.createTopic(answers, { partitions: find(requests)!.partitions })
}
