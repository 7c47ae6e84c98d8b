import { eventBytesMax } from '../../schema/decode.ts'

export type HttpLimits = {
  /** Of `POST /v1/events`. Default 8 MiB. */
  readonly bodyBytesMax: number
  /** Of one request. Default 10,000. */
  readonly eventsMax: number
  /** Default 1 MiB, which is also the most that a stream accepts. */
  readonly eventBytesMax: number
  /** Of `POST /v1/features` and `POST /v1/predict`. Default 1 MiB. */
  readonly readBytesMax: number
  /** Of `POST /v1/registry`. Default 1.5 MiB. */
  readonly applyBytesMax: number
  /** Of a pushed model, its description included. Default 257 MiB, for the largest artefact that the registry takes. */
  readonly pushBytesMax: number
  /** Of one read. Default 1,000. */
  readonly entitiesMax: number
  /** Single features of one read. Default 1,000. */
  readonly featuresMax: number
  /** Places of one `POST /v1/dead-letters/replay`. Default 1,000. */
  readonly placesMax: number
  /** Dead letters that it looks at when it is asked for all. Default 1,000. */
  readonly replayMax: number
  /** From the first byte of a request to its last: a slower one is cut off. Default 60 s. */
  readonly requestMsMax: number
}

export const limitsDefault: HttpLimits = {
  bodyBytesMax: 8 * 1024 * 1024,
  eventsMax: 10_000,
  eventBytesMax,
  readBytesMax: 1024 * 1024,
  applyBytesMax: 1.5 * 1024 * 1024,
  pushBytesMax: 257 * 1024 * 1024,
  entitiesMax: 1_000,
  featuresMax: 1_000,
  placesMax: 1_000,
  replayMax: 1_000,
  requestMsMax: 60_000,
}
