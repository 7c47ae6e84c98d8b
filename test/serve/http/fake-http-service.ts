import { MillraceError } from '../../../src/base/faults.ts'
import type {
  ActionStatus,
  ResumeOptions,
  ApplyRequest,
  ApplyResponse,
  FixRequest,
  HttpService,
  IngestResult,
  ModelChangeRequest,
  ModelPushRequest,
  PredictRequest,
  PredictResponse,
  ReadRequest,
  RegistryState,
  ReplayAnswer,
  ReplayRequest,
  ReplayResult,
  VersionSummary,
} from '../../../src/serve/http-service.ts'
import type { VectorRows } from '../../../src/serve/vector-rows.ts'
import type { FeatureValue } from '../../../src/kernel/aggregation.ts'
import type { FeatureStatus } from '../../../src/plan/finish-view.ts'

export const fakeVersion: VersionSummary = {
  number: 1,
  previous: 0,
  kind: 'apply',
  plan: '0'.repeat(64),
  at: '2026-01-01T00:00:00.000Z',
  note: null,
}

const fakeAction: ActionStatus = {
  name: 'block',
  model: 'fraud',
  when: 'score > 0.8',
  to: 'topic blocked',
  stopped: null,
  counts: { met: 0, delivered: 0, retried: 0, dead: 0 },
  waiting: 0,
  oldestSeconds: 0,
  fault: null,
}

/** Remembers what it was asked. Knows one stream, `payments`, which refuses what is no JSON object with an `amount`. */
export class FakeHttpService implements HttpService {
  readonly bodies: string[] = []
  readonly reads: ReadRequest[] = []
  readonly predictions: PredictRequest[] = []
  readonly applied: ApplyRequest[] = []
  pushesBegun = 0
  readonly pushed: ModelPushRequest[] = []
  readonly changed: ModelChangeRequest[] = []
  readonly replays: (ReplayRequest | FixRequest)[] = []
  readonly resumed: ResumeOptions[] = []
  readyReasons: string[] = []
  healthReasons: string[] = []
  /** What the next call throws. */
  failure: unknown = null
  /** Ingestion waits for this. */
  gate: Promise<void> = Promise.resolve()

  async ingest(stream: string, bodies: readonly Uint8Array[]): Promise<IngestResult[]> {
    if (stream !== 'payments') {
      throw new MillraceError('NAME_UNDECLARED', {
        kind: 'stream',
        name: stream,
        declared: 'payments',
        nearest: 'payments',
      })
    }
    await this.gate
    this.#fail()
    return bodies.map((body): IngestResult => {
      const text = Buffer.from(body).toString()
      const offset = this.bodies.push(text) - 1
      return { partition: offset % 2, offset, refusals: refusalsOf(text) }
    })
  }

  read(request: ReadRequest): VectorRows {
    this.#fail()
    this.reads.push(request)
    const service = 'service' in request.target ? request.target.service : null
    const size = request.entities.length
    const each = <T>(values: readonly T[]): T[] => request.entities.flatMap(() => values)
    return {
      shape: {
        service,
        names: ['customer_spending:payments_1d', 'customer_spending:amount_mean_30d'],
        types: [{ kind: 'int' }, { kind: 'float' }],
        views: [0, 0],
      },
      size,
      instant: request.asOf ?? 1000,
      prefix: { payments: [7, 8] },
      asOf: each([1000]),
      values: each<FeatureValue>([3, null]),
      full: request.full,
      status: each<FeatureStatus>(['PRESENT', 'NULL_VALUE']),
      ageMs: each([5, 5]),
    }
  }

  async predict(request: PredictRequest): Promise<PredictResponse> {
    this.#fail()
    this.predictions.push(request)
    const one = { asOf: 1000, outcome: 'served', output: { score: 0.5 }, inputs: {} } as const
    const model = { name: request.model, version: 1, checksum: null }
    const predictions = request.entities.map(() => one)
    return await Promise.resolve({ model, asOf: 1000, predictions, prefix: { payments: [7, 8] } })
  }

  async forget({ entity }: { readonly entity: string }) {
    this.#fail()
    return await Promise.resolve({ version: 1 as const, entity, key: 'k', prefix: { payments: [7, 8] }, at: 'now' })
  }

  async replay(request: ReplayRequest): Promise<ReplayAnswer> {
    this.#fail()
    this.replays.push(request)
    return Promise.resolve({ results: [], next: null })
  }

  async fix(request: FixRequest): Promise<ReplayResult> {
    this.#fail()
    this.replays.push(request)
    return Promise.resolve({ place: '0@0', stream: null, source: null, outcome: 'missing' })
  }

  actions(): readonly ActionStatus[] {
    this.#fail()
    return [fakeAction]
  }

  async stopAction(name: string, note: string | null): Promise<ActionStatus> {
    this.#fail()
    return await Promise.resolve({ ...fakeAction, name, stopped: { at: 'now', note } })
  }

  async resumeAction(name: string, options: ResumeOptions): Promise<ActionStatus> {
    this.#fail()
    this.resumed.push(options)
    return await Promise.resolve({ ...fakeAction, name })
  }

  health() {
    return { healthy: this.healthReasons.length === 0, reasons: this.healthReasons }
  }

  ready() {
    return { ready: this.readyReasons.length === 0, reasons: this.readyReasons }
  }

  registry(): RegistryState {
    this.#fail()
    const serving = { number: 1, plan: fakeVersion.plan }
    return { applied: fakeVersion, serving, building: null, fault: null, versions: [fakeVersion] }
  }

  version(number: number) {
    this.#fail()
    return { ...fakeVersion, number, definitions: {} }
  }

  async apply(request: ApplyRequest): Promise<ApplyResponse> {
    this.#fail()
    this.applied.push(request)
    return Promise.resolve({ version: fakeVersion, changed: true, difference: ['new view spending'], stopped: [] })
  }

  models() {
    return [{ name: 'fraud' }]
  }

  model(name: string) {
    this.#fail()
    return { name }
  }

  async pushModel(request: ModelPushRequest) {
    this.pushesBegun += 1
    await this.gate
    this.#fail()
    this.pushed.push({ ...request, artefact: Buffer.from(request.artefact) })
    return { version: { version: 1 } }
  }

  async changeModel(request: ModelChangeRequest) {
    this.#fail()
    this.changed.push(request)
    return Promise.resolve({ version: { version: 1 } })
  }

  async metrics() {
    return Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'up 1\n' })
  }

  #fail(): void {
    if (this.failure !== null) throw this.failure
  }
}

function refusalsOf(text: string): IngestResult['refusals'] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return [{ code: 'JSON', path: '', came: 'text that is not JSON', allowed: 'one JSON object' }]
  }
  if (typeof value === 'object' && value !== null && 'amount' in value) return []
  return [
    { code: 'MISSING', path: 'amount', came: 'nothing', allowed: 'a number' },
    { code: 'MISSING', path: 'at', came: 'nothing', allowed: 'an instant' },
  ]
}
