import type { ForgottenEntity } from '../plan/forgotten.ts'
import type { Refusal } from '../schema/decode.ts'
import type { RawEvent } from './added-event.ts'
import type { EntityKeys } from './entity-key.ts'
import type { VectorTarget } from './prepared-vector.ts'
import type { VectorRows } from './vector-rows.ts'

/**
 * What the HTTP server asks of a running millrace. Faults are thrown as `MillraceError` and answered with their code;
 * anything else that is thrown is answered as `INTERNAL`, without its text.
 */
export interface HttpService {
  /**
   * Appends raw events, well formed or not, to the log of a stream. Resolves when all are durable, with one result per
   * body, in order. Keeps no reference to the bodies after that. Throws `NAME_UNDECLARED` for an unknown stream.
   */
  ingest(stream: string, bodies: readonly Uint8Array[]): Promise<readonly IngestResult[]>

  /**
   * The features of some entities, in rows that count until the next call. Throws `NAME_UNDECLARED`, `KEY_MALFORMED`,
   * `AS_OF_TOO_OLD`, `REQUEST_MALFORMED`.
   */
  read(request: ReadRequest): VectorRows

  /**
   * What a model gives for some entities, in their order. Throws as `read` does, and `MODEL_MISFIT`, `MODEL_BUSY`,
   * `PREDICTION_LATE`.
   */
  predict(request: PredictRequest): Promise<PredictResponse>

  /** Forgets an entity; resolves when that is durable. Throws `NAME_UNDECLARED` and `KEY_MALFORMED`. */
  forget(request: ForgetRequest): Promise<ForgottenEntity>

  /** Sends rejected events to their streams again, as far as that changes anything; says of each what became of it. */
  replay(request: ReplayRequest): Promise<ReplayAnswer>

  /** Sends a mended event in place of a rejected one. Throws `REQUEST_MALFORMED` when it cannot be put together. */
  fix(request: FixRequest): Promise<ReplayResult>

  /** Whether this process works at all; asked often, so it must be cheap. */
  health(): Health

  /** Whether this process takes events and reads now; asked before each of them, so it must be cheap. */
  ready(): Readiness

  metrics(): Promise<{ readonly contentType: string; readonly body: string }>

  /** What is applied, what is served, and every version so far. */
  registry(): RegistryState

  /** A version with its definitions as data. Throws `REGISTRY_NUMBER_UNKNOWN`. */
  version(number: number): VersionSummary & { readonly definitions: unknown }

  /** What is done about predictions, and what became of it in this process. */
  actions(): readonly ActionStatus[]

  /** Stops an action everywhere; resolves when that is durable. Throws `NAME_UNDECLARED`. */
  stopAction(name: string, note: string | null): Promise<ActionStatus>

  /** Throws `NAME_UNDECLARED`. */
  resumeAction(name: string, options: ResumeOptions): Promise<ActionStatus>

  /**
   * Makes definitions the applied version. Resolves when they are durably that; what is served follows once they are
   * built. Throws `DEFINITIONS_MALFORMED`, `DEFINITION`, `REGISTRY_CONFLICT`, `REGISTRY_INCOMPATIBLE`.
   */
  apply(request: ApplyRequest): Promise<ApplyResponse>

  /** The models of the registry and their versions, to be written as JSON. */
  models(): readonly object[]

  /** One of them, with everything that was ever done to it. Throws `NAME_UNDECLARED`. */
  model(name: string): object

  /**
   * Makes an artefact the next version of a model. Throws `REQUEST_MALFORMED`, `MODEL_MISFIT`, `MODEL_REFUSED`,
   * `MODEL_GOLDEN_FAILED`, `MODEL_CONFLICT`.
   */
  pushModel(request: ModelPushRequest): Promise<object>

  /**
   * Moves a version to another stage; when it resolves, that counts here. Throws `NAME_UNDECLARED`,
   * `MODEL_VERSION_UNKNOWN`, `MODEL_CHANGE_REFUSED`, `MODEL_CONFLICT`, `MODEL_MISFIT`, and what loading it throws.
   */
  changeModel(request: ModelChangeRequest): Promise<object>
}

/** Versions of the definitions, as a running millrace has them. */
export type RegistryState = {
  readonly applied: VersionSummary
  /** What readers get. The number is null when that was never applied. */
  readonly serving: { readonly number: number | null; readonly plan: string }
  /** The applied version on its way: records that its new views have seen, and how many there are. */
  readonly building: { readonly number: number; readonly done: number; readonly total: number } | null
  /** Why the applied version is not built; null when nothing is wrong. */
  readonly fault: string | null
  readonly versions: readonly VersionSummary[]
}

export type VersionSummary = {
  readonly number: number
  readonly previous: number
  readonly kind: 'apply' | 'rollback'
  readonly plan: string
  /** ISO 8601. */
  readonly at: string
  readonly note: string | null
}

export type ApplyRequest = {
  /** Definitions as data, not yet checked; or the number of the version to go back to. */
  readonly change: { readonly definitions: unknown } | { readonly rollback: number }
  /** The version that it was planned against. */
  readonly expected: number
  readonly note?: string
  readonly allowIncompatible: boolean
}

export type ApplyResponse = {
  readonly version: VersionSummary
  /** False: nothing differs from the applied version, and nothing was written. */
  readonly changed: boolean
  /** In words, a line for each change. */
  readonly difference: readonly string[]
  /** Live models that it stops, a line each. */
  readonly stopped: readonly string[]
}

export type ModelPushRequest = {
  readonly model: string
  /** As data, not yet checked. */
  readonly description: unknown
  readonly artefact: Uint8Array
  /** The change of the model that it was made after. */
  readonly expected?: number
  readonly note?: string
}

export type ModelChangeRequest = {
  readonly model: string
  readonly action:
    | { readonly promote: number; readonly to: 'candidate' | 'shadow' | 'live' }
    | { readonly rollback: true }
    | { readonly retire: number; readonly allowLive: boolean }
  readonly expected?: number
  readonly note?: string
}

/** Where one event lies in the log, and why its stream will refuse it there; no refusals when it is well formed. */
export type IngestResult = {
  readonly partition: number
  readonly offset: number
  readonly refusals: readonly Refusal[]
}

export type ReadRequest = {
  readonly target: VectorTarget
  readonly entities: readonly EntityKeys[]
  /** Epoch milliseconds; `'latest'`: one past the newest applied event of each entity. Default: the clock's now. */
  readonly asOf?: number | 'latest'
  /** Read as if this event, in the bytes it came in, had just been accepted. */
  readonly with?: RawEvent
  /** Whether rows carry status and age. */
  readonly full: boolean
}

export type PredictRequest = Omit<ReadRequest, 'target' | 'full'> & {
  readonly model: string
  /** What labels will name the predictions by, one for each entity. */
  readonly ids?: readonly string[]
  readonly deadlineMs?: number
}

/** All of one prefix, and of one version of the model. */
export type PredictResponse = {
  readonly model: { readonly name: string; readonly version: number; readonly checksum: string | null }
  readonly asOf: number | 'latest'
  readonly predictions: readonly PredictedEntity[]
  /** Whose arms they are of, where that was asked for in place of a model. */
  readonly experiment?: string
  readonly prefix: Readonly<Record<string, readonly number[]>>
}

export type PredictedEntity = {
  readonly asOf: number
  readonly outcome: 'served' | 'refused' | 'failed'
  /** Where it is served. */
  readonly output?: Readonly<Record<string, string | number | boolean | null>>
  /** Why it is not: a code that stays, and words. */
  readonly reason?: string
  readonly detail?: string
  /** Why the output is not the model's own. */
  readonly fallback?: { readonly reason: string; readonly detail: string }
  /** Of an experiment: the arm, null in none; and the model that served it. */
  readonly arm?: string | null
  readonly model?: PredictResponse['model']
  /** Status of each input that was not PRESENT. */
  readonly inputs: Readonly<Record<string, string>>
}

/** Join keys by name, as they came: not yet checked. */
export type ForgetRequest = { readonly entity: string; readonly keys: Readonly<Record<string, unknown>> }

export type Health = { readonly healthy: boolean; readonly reasons: readonly string[] }
export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[] }

export type RejectionKind = 'refused' | 'late'

/** A place in an output topic: `dead-letter-queue` for refused events, `late-events` for late ones. */
export type OutputPlace = { readonly partition: number; readonly offset: number }

export type ReplayRequest = {
  readonly kind: RejectionKind
  readonly target: { readonly places: readonly OutputPlace[] } | { readonly all: ReplayFilter }
}

/** All that nothing is noted of yet, oldest first in each partition. */
export type ReplayFilter = {
  readonly stream?: string
  /** A code among its reasons. */
  readonly reason?: string
  /** Where to go on: `next` of the answer before. */
  readonly from: OutputPlace
  readonly countMax: number
}

export type FixRequest = {
  readonly kind: RejectionKind
  readonly place: OutputPlace
  readonly mended:
    | { readonly event: Uint8Array }
    /** Dotted path → value, with numbers as `parseLossless` reads them. */
    | { readonly set: Readonly<Record<string, unknown>> }
}

export type ReplayAnswer = {
  readonly results: readonly ReplayResult[]
  /** Where to go on, when there is more than was asked for. */
  readonly next: string | null
}

export type ReplayResult = {
  /** PARTITION@OFFSET in its output topic. */
  readonly place: string
  /** Null when there is nothing at that place. */
  readonly stream: string | null
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number } | null
} & ReplayOutcome

export type ReplayOutcome =
  /** Durable in its stream's topic again. */
  | { readonly outcome: 'sent'; readonly at: OutputPlace }
  /** The stream would refuse it still: nothing was sent. */
  | { readonly outcome: 'refused'; readonly faults: readonly Refusal[] }
  /** It would be late again: nothing was sent. */
  | { readonly outcome: 'late'; readonly ts: number; readonly watermark: number; readonly outside: string | null }
  /** An event of its id was accepted: nothing was sent. */
  | { readonly outcome: 'duplicate'; readonly id: string | number }
  /** It counts already, in its own place under the present definitions, or by another replay: nothing was sent. */
  | { readonly outcome: 'settled' }
  /** Too many newer rejections in its partition to tell whether it counts: nothing was sent. */
  | { readonly outcome: 'displaced' }
  /** Its partition has stopped: nothing was sent. */
  | { readonly outcome: 'halted' }
  /** No stream of the definitions reads its topic. */
  | { readonly outcome: 'unread' }
  | { readonly outcome: 'missing' }

export type ActionStatus = {
  readonly name: string
  readonly model: string
  /** The rule as a reader understands it. */
  readonly when: string
  readonly to: string
  readonly stopped: { readonly at: string; readonly note: string | null } | null
  /** Since this process began. */
  readonly counts: {
    readonly met: number
    readonly delivered: number
    readonly retried: number
    readonly dead: number
  }
  /** Predictions that are not judged and done with. */
  readonly waiting: number
  /** Age of the oldest of them that was read; 0: there is none. */
  readonly oldestSeconds: number
  /** Why it stands still though nobody stopped it. */
  readonly fault: string | null
}

export type ResumeOptions = {
  /** Pass over what was predicted while it was stopped. Default: act on it. */
  readonly skip?: boolean
  readonly note?: string | null
}
