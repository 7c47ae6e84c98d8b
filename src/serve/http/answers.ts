import { MillraceError } from '../../base/faults.ts'
import type { HttpService, IngestResult } from '../http-service.ts'
import { VectorBinary } from '../vector-binary.ts'
import { vectorsType } from '../vector-format.ts'
import { vectorJson } from '../vector-json.ts'
import { faultBody, faultOf, statusOf } from './answer-fault.ts'
import { parsePredictRequest, parseReadRequest, type ReadLimits } from './read-request.ts'
import { type EventLimits, splitEvents } from './split-events.ts'

/** What is said to a request, whoever carries it to the client. */
export type Answer = {
  readonly status: number
  readonly type: string
  readonly body: string | Uint8Array
}

export const jsonType = 'application/json; charset=utf-8'
export const retryAfterSeconds = 1

export type EventsRequest = {
  readonly stream: string
  readonly body: Uint8Array
  readonly framing: 'json' | 'ndjson'
  readonly requestId: string
}

/** Answers the requests that come often: events, reads and predictions. They throw and reject where the service does. */
export class Answers {
  readonly #service: HttpService
  readonly #limits: ReadLimits & EventLimits
  readonly #binary = new VectorBinary()

  constructor(service: HttpService, limits: ReadLimits & EventLimits) {
    this.#service = service
    this.#limits = limits
  }

  /** @param accept the header of that name: the binary format where it names that, else JSON. */
  features(body: Uint8Array, accept: string | undefined): Answer {
    const rows = this.#service.read(parseReadRequest(body, this.#limits))
    if (accept !== undefined && accepts(accept, vectorsType)) {
      return { status: 200, type: vectorsType, body: this.#binary.write(rows) }
    }
    return { status: 200, type: jsonType, body: vectorJson(rows) }
  }

  async predictions(body: Uint8Array): Promise<Answer> {
    return answerOf(200, await this.#service.predict(parsePredictRequest(body, this.#limits)))
  }

  async events({ stream, body, framing, requestId }: EventsRequest): Promise<Answer> {
    const results = await this.#service.ingest(stream, splitEvents(body, framing, this.#limits))
    const refused = results.filter(({ refusals }) => refusals.length > 0).length
    if (refused === 0) return answerOf(202, { accepted: results.length, offsets: results.map(placeOf) })
    return answerOf(422, refusalBody({ stream, results, refused, requestId }))
  }
}

/** Whether the list of an `accept` header names a type. Weights are not looked at: whoever names it can read it. */
function accepts(header: string, type: string): boolean {
  return header === type || header.split(',').some((one) => one.split(';')[0]!.trim().toLowerCase() === type)
}

export function faultAnswer(error: unknown, context: Parameters<typeof faultOf>[1]): Answer {
  const fault = faultOf(error, context)
  return answerOf(statusOf(fault), faultBody(fault, context.requestId))
}

function answerOf(status: number, body: object): Answer {
  return { status, type: jsonType, body: JSON.stringify(body) }
}

function placeOf({ partition, offset }: IngestResult): { partition: number; offset: number } {
  return { partition, offset }
}

type Refused = {
  readonly stream: string
  readonly results: readonly IngestResult[]
  readonly refused: number
  readonly requestId: string
}

/** All faults of all refused events, and where each event of the request lies: `offsets[index]`. */
function refusalBody({ stream, results, refused, requestId }: Refused): object {
  const faults = results.flatMap(({ refusals }, index) => refusals.map((refusal) => ({ index, ...refusal })))
  const first = faults[0]!
  const fault = new MillraceError('EVENT_REFUSED', {
    count: refused,
    stream,
    index: first.index,
    faults: `${first.path === '' ? '' : `"${first.path}" `}${first.code}: ${first.came}, allowed ${first.allowed}`,
  })
  return {
    ...faultBody(fault, requestId),
    accepted: results.length - refused,
    refused,
    faults,
    offsets: results.map((result) => ({ ...placeOf(result), accepted: result.refusals.length === 0 })),
  }
}
