import type { Clock } from '../base/clock.ts'
import { MillraceError, messageOf } from '../base/faults.ts'
import type { HistogramHandle } from '../monitor/metric-families.ts'
import type { Metrics } from '../monitor/metrics.ts'
import type { HttpService, ReadRequest } from '../serve/http-service.ts'
import type { HttpAnswer, HttpLogger } from '../serve/http/http-server.ts'
import type { EngineObserver } from '../stream/engine-types.ts'
import { makeHttpService } from './http-service.ts'
import type { Mill } from './mill.ts'
import { retentionLeftMs } from './retention-left.ts'
import { reportModels, reportQuality } from './watching/report-models.ts'

export type ServerOptions = {
  readonly mill: Mill
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly clock: Clock
  /** The metrics that the mill's observer feeds; by default new ones, which then lack latencies and checkpoints. */
  readonly metrics?: Metrics
  readonly logger?: HttpLogger
}

/** What a server needs. Not imported with this file: whoever imports millrace for its definitions alone needs none. */
export async function importServer() {
  const [http, metrics] = await Promise.all([import('../serve/http/http-server.ts'), import('../monitor/metrics.ts')])
  return { ...http, ...metrics }
}

/**
 * The HTTP interface of a running mill. Closing it answers what is under way; the mill stays open. Throws
 * `ADDRESS_UNUSABLE`.
 */
export async function startServer({ mill, host, port, clock, metrics: given, logger }: ServerOptions): Promise<{
  address: string
  close(): Promise<void>
}> {
  const { makeHttpServer, makeMetrics } = await importServer()
  const metrics = given ?? makeMetrics()
  metrics.collectWith(makeCollector(mill, metrics))
  metrics.collectWith(() => collectRetention(mill, metrics, clock))
  reportModels(() => mill.loadedModels, metrics)
  reportQuality(() => mill.labels.quality, metrics)
  mill.labels.listener = (error) => {
    logger?.error({ requestId: 'any', code: 'INTERNAL', error }, 'labels of models are not followed any more')
  }
  mill.registered.listener = (event) => {
    if (event.kind !== 'failed') return
    const { model, version, fault: error } = event
    const code = error instanceof MillraceError ? error.code : 'INTERNAL'
    logger?.error({ requestId: 'any', code, model, error }, `version ${version} of model ${model} does not go live`)
  }
  const service = timed(
    makeHttpService(mill, () => metrics.render(), makeModelLog(clock, logger)),
    clock,
    metrics,
  )
  const server = makeHttpServer(service, {
    ...(logger === undefined ? {} : { logger }),
    observe: makeRequestObserver(metrics),
  })
  try {
    return { address: await server.listen(port, host), close: () => server.close() }
  } catch (error) {
    await server.close()
    throw new MillraceError('ADDRESS_UNUSABLE', { host, port, detail: messageOf(error) }, { cause: error })
  }
}

/** Keeps the handle of each route and status: to find one costs more than to use it. */
function makeRequestObserver(metrics: Metrics): (answer: HttpAnswer) => void {
  const handles = new Map<string, Map<number, HistogramHandle>>()
  return ({ route, status, seconds }) => {
    let byStatus = handles.get(route)
    if (byStatus === undefined) handles.set(route, (byStatus = new Map()))
    let handle = byStatus.get(status)
    if (handle === undefined) byStatus.set(status, (handle = metrics.httpRequest.of({ route, status })))
    handle.observe(seconds)
  }
}

const modelLogMs = 60_000

/** Logs what models throw, at most once a minute each: the metrics count them all. */
function makeModelLog(clock: Clock, logger: HttpLogger | undefined): (model: string, cause: unknown) => void {
  const told = new Map<string, number>()
  return (model, error) => {
    const now = clock.elapsed()
    if (now - (told.get(model) ?? Number.NEGATIVE_INFINITY) < modelLogMs) return
    told.set(model, now)
    logger?.error({ requestId: 'any', code: 'MODEL_THREW', model, error }, `model ${model} threw`)
  }
}

/** Feeds the metrics that only the engine knows when they happen. */
export function observeEngine(metrics: Metrics): EngineObserver {
  const latency = metrics.processingLatency.of({})
  const checkpoints = metrics.checkpointSeconds.of({})
  const rebalances = metrics.groupRebalanceSeconds.of({})
  return {
    batch: (_, { latencyMs }) => latency.observe(Math.max(0, latencyMs) / 1_000),
    checkpoint: (seconds) => checkpoints.observe(seconds),
    rebalance: ({ owned, ms, ...changes }) => {
      metrics.groupPartitions.of({}).set(owned)
      for (const [why, count] of Object.entries(changes)) metrics.groupRebalances.of({ why }).add(count > 0 ? 1 : 0)
      rebalances.observe(ms / 1_000)
    },
  }
}

/** Reads are timed by what was asked for: the service's name, or one name for all hand-picked features. */
function timed(service: HttpService, clock: Clock, metrics: Metrics): HttpService {
  const nameOf = ({ target }: ReadRequest): string => ('service' in target ? target.service : 'selection')
  return {
    ...service,
    read: (request) => {
      const startedAt = clock.elapsed()
      const response = service.read(request)
      // Only after it was answered: an unknown name must not become a label.
      metrics.featureComputation.of({ feature_type: nameOf(request) }).observe((clock.elapsed() - startedAt) / 1_000)
      return response
    },
    predict: async (request) => {
      const { model } = request
      const startedAt = clock.elapsed()
      const response = await service.predict(request)
      // Only of an answer is the model known: any other name must not become a label.
      metrics.predictionSeconds.of({ model }).observe((clock.elapsed() - startedAt) / 1_000)
      return response
    },
  }
}

/** Of the topics that are read here and do not keep their records for ever. */
async function collectRetention(mill: Mill, metrics: Metrics, clock: Clock): Promise<void> {
  for (const source of mill.counts.sources) {
    const leftMs = await retentionLeftMs(source, mill.log, clock)
    if (leftMs !== null) metrics.retentionLeft.of(source).set(leftMs / 1_000)
  }
}

/** Brings what the engine and the log count into the metrics, whenever they are asked for. */
function makeCollector(mill: Mill, metrics: Metrics): () => void {
  return () => {
    const { sources, views } = mill.counts
    for (const { name } of mill.plan.streams) {
      const own = sources.filter(({ stream }) => stream === name)
      const total = (part: 'accepted' | 'duplicate' | 'late' | 'refused' | 'conflicts'): number =>
        own.reduce((sum, source) => sum + source[part], 0)
      for (const status of ['accepted', 'duplicate', 'late', 'refused'] as const) {
        metrics.eventsProcessed.of({ stream: name, status }).setTotal(total(status))
      }
      metrics.duplicateConflicts.of({ stream: name }).setTotal(total('conflicts'))
      for (const { topic, partition, next } of own) {
        const end = mill.log.end(topic, partition)
        metrics.logEndOffset.of({ topic, partition }).set(end)
        metrics.consumerLag.of({ topic, partition }).set(end - next)
      }
    }
    for (const one of mill.plan.views) {
      const view = one.name
      const { applied, filtered, unkeyed } = views[view]!
      metrics.eventsApplied.of({ view }).setTotal(applied)
      metrics.eventsFiltered.of({ view }).setTotal(filtered)
      metrics.eventsUnkeyed.of({ view }).setTotal(unkeyed)
      const table = mill.engine.inMemory(one)
      metrics.stateKeys.of({ view }).set(table?.cachedCount ?? 0)
      metrics.stateBytes.of({ view }).set(table?.bytes ?? 0)
    }
    for (const { topic, partition, next } of mill.answering?.partitions ?? []) {
      const end = mill.log.end(topic, partition)
      metrics.logEndOffset.of({ topic, partition }).set(end)
      metrics.consumerLag.of({ topic, partition }).set(end - Math.max(next, 0))
    }
    for (const { topic, outcome, total } of mill.answers.all) {
      metrics.answers.of({ topic, outcome }).setTotal(total)
    }
    metrics.scoresWaiting.of({}).set(mill.scoresWaiting)
    metrics.checkpointAge.of({}).set(mill.engine.checkpointAgeSeconds)
    collectModels(mill, metrics)
    collectActions(mill, metrics)
  }
}

function collectActions(mill: Mill, metrics: Metrics): void {
  for (const { name: action, counts, waiting, oldestSeconds, stopped } of mill.actions?.states ?? []) {
    for (const [what, total] of Object.entries(counts)) metrics.actions.of({ action, what }).setTotal(total)
    metrics.actionWaiting.of({ action }).set(waiting)
    metrics.actionOldest.of({ action }).set(oldestSeconds)
    metrics.actionStopped.of({ action }).set(stopped === null ? 0 : 1)
  }
}

function collectModels(mill: Mill, metrics: Metrics): void {
  for (const { model, version, stage, outcomes, differences } of mill.predictionCounts) {
    for (const [outcome, total] of Object.entries(outcomes)) {
      if (total > 0) metrics.predictions.of({ model, version, stage, outcome }).setTotal(total)
    }
    for (const [output, { sum, count }] of Object.entries(differences)) {
      metrics.shadowDifferenceSum.of({ model, version, output }).set(sum)
      metrics.shadowDifferenceCount.of({ model, version, output }).setTotal(count)
    }
  }
  metrics.modelSwitches.of({}).setTotal(mill.registered.counts.switches)
  metrics.modelLoadFailures.of({}).setTotal(mill.registered.counts.failures)
}
