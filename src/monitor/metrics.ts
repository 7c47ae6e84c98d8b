import {
  type CounterHandle,
  type Family,
  type GaugeHandle,
  type HistogramHandle,
  MetricFamilies,
} from './metric-families.ts'
import { makeModelMetrics, type ModelMetrics } from './model-metrics.ts'

export type { ModelMetrics }

/** Every metric of a process. Keep the handles that `of` gives; a label is never an entity key. */
export type Metrics = {
  /** `status`: accepted, duplicate, late or refused. */
  readonly eventsProcessed: Family<'stream' | 'status', CounterHandle>
  /** From a record's own timestamp until it is folded. */
  readonly processingLatency: Family<never, HistogramHandle>
  /** `feature_type`: the name of the view or service that was read. */
  readonly featureComputation: Family<'feature_type', HistogramHandle>
  /** Records between what was applied and the end of the log, of whatever kind the log is. */
  readonly consumerLag: Family<'topic' | 'partition', GaugeHandle>
  /** Until retention may delete a record that is not applied; of topics that keep them for ever there is none. */
  readonly retentionLeft: Family<'topic' | 'partition', GaugeHandle>
  readonly groupPartitions: Family<never, GaugeHandle>
  /** `why`: assigned, moved or lost. */
  readonly groupRebalances: Family<'why', CounterHandle>
  readonly groupRebalanceSeconds: Family<never, HistogramHandle>
  /** Each in [0, 1]. */
  readonly quality: {
    readonly completeness: Family<'view', GaugeHandle>
    readonly validity: Family<'view', GaugeHandle>
    readonly consistency: Family<'view', GaugeHandle>
    readonly freshness: Family<'view', GaugeHandle>
  }
  readonly eventsApplied: Family<'view', CounterHandle>
  readonly eventsFiltered: Family<'view', CounterHandle>
  readonly eventsUnkeyed: Family<'view', CounterHandle>
  readonly duplicateConflicts: Family<'stream', CounterHandle>
  readonly checkpointSeconds: Family<never, HistogramHandle>
  readonly checkpointAge: Family<never, GaugeHandle>
  readonly logEndOffset: Family<'topic' | 'partition', GaugeHandle>
  /** `route`: as it is declared, with the names of its parameters in place of their values. */
  readonly httpRequest: Family<'route' | 'status', HistogramHandle>
  /**
   * `outcome`: served, refused or failed, by entity; or late, busy, misfit or skipped, by entity of a request without
   * answer. `stage`: live, or shadow.
   */
  readonly predictions: Family<'model' | 'version' | 'stage' | 'outcome', CounterHandle>
  /** `topic`: of the answers to requests that came through the log; `outcome`: served, refused or failed. */
  readonly answers: Family<'topic' | 'outcome', CounterHandle>
  /** Folded, and not scored yet. */
  readonly scoresWaiting: Family<never, GaugeHandle>
  /** Of a shadow's outputs from those served. Their mean: the sum by the count. */
  readonly shadowDifferenceSum: Family<'model' | 'version' | 'output', GaugeHandle>
  readonly shadowDifferenceCount: Family<'model' | 'version' | 'output', CounterHandle>
  /** `what`: met the rule; then delivered, or dead. Repetitions are retried. */
  readonly actions: Family<'action' | 'what', CounterHandle>
  readonly actionWaiting: Family<'action', GaugeHandle>
  readonly actionOldest: Family<'action', GaugeHandle>
  /** 1 while it is. */
  readonly actionStopped: Family<'action', GaugeHandle>
  readonly modelSwitches: Family<never, CounterHandle>
  readonly modelLoadFailures: Family<never, CounterHandle>
  readonly predictionSeconds: Family<'model', HistogramHandle>
  readonly models: ModelMetrics
  readonly stateKeys: Family<'view', GaugeHandle>
  readonly stateBytes: Family<'view', GaugeHandle>

  /** Runs before each render, in the order of these calls: for values that are known elsewhere. */
  collectWith(collector: () => void | Promise<void>): void

  /** The text that Prometheus collects. Rejects with what a collector threw: no number is better than an old one. */
  render(): Promise<{ contentType: string; body: string }>
}

export type MetricsOptions = {
  /** Sets of label values that one metric may hold. Default 2,000. */
  readonly seriesMax?: number
}

const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/** A read takes microseconds, a request about a millisecond. */
const computationBuckets = [0.000_001, 0.000_01, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1]
const requestBuckets = [0.000_25, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5]
const checkpointBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const quality = {
  completeness: 'Share of values that are there, of those that were read.',
  validity: 'Share of values inside their expected range, of those that are there.',
  consistency: 'Share of served values that a rebuild from the log gives again.',
  freshness: 'Share of values no older than expected, of those that are there.',
}

export function makeMetrics({ seriesMax = 2_000 }: MetricsOptions = {}): Metrics {
  const families = new MetricFamilies(seriesMax)
  const collectors: (() => void | Promise<void>)[] = []
  const qualityOf = (kind: keyof typeof quality): Family<'view', GaugeHandle> =>
    families.gauge({ name: `feature_quality_${kind}`, help: quality[kind], labels: ['view'] })
  return {
    ...makeEventMetrics(families),
    ...makeReadMetrics(families),
    ...makePredictionMetrics(families),
    models: makeModelMetrics(families),
    quality: {
      completeness: qualityOf('completeness'),
      validity: qualityOf('validity'),
      consistency: qualityOf('consistency'),
      freshness: qualityOf('freshness'),
    },
    collectWith: (collector) => {
      collectors.push(collector)
    },
    render: async () => {
      for (const collect of collectors) await collect()
      return await families.render()
    },
  }
}

function makeEventMetrics(families: MetricFamilies) {
  const perView = (name: string, help: string): Family<'view', CounterHandle> =>
    families.counter({ name, help, labels: ['view'] })
  return {
    eventsProcessed: families.counter({
      name: 'events_processed_total',
      help: 'Records that got a verdict, by verdict.',
      labels: ['stream', 'status'],
    }),
    processingLatency: families.histogram({
      name: 'processing_latency_seconds',
      help: "From a record's own timestamp until it is folded into the features.",
      labels: [],
      buckets: latencyBuckets,
    }),
    consumerLag: families.gauge({
      name: 'kafka_consumer_lag',
      help: 'Records of the log that are not yet applied.',
      labels: ['topic', 'partition'],
    }),
    retentionLeft: families.gauge({
      name: 'millrace_retention_left_seconds',
      help: 'Time until retention may delete a record that is not yet applied. Topics that keep them for ever have none.',
      labels: ['topic', 'partition'],
    }),
    groupPartitions: families.gauge({
      name: 'millrace_group_partitions',
      help: 'Partitions that this process owns as a member of its group.',
      labels: [],
    }),
    groupRebalances: families.counter({
      name: 'millrace_group_rebalances_total',
      help: 'Changes of what this process owns, by why: assigned, moved to others, or lost with the session.',
      labels: ['why'],
    }),
    groupRebalanceSeconds: families.histogram({
      name: 'millrace_group_rebalance_seconds',
      help: 'Time from hearing of a change of what this process owns until it is done.',
      labels: [],
      buckets: checkpointBuckets,
    }),
    eventsApplied: perView('millrace_events_applied_total', 'Accepted events folded into a view.'),
    eventsFiltered: perView('millrace_events_filtered_total', 'Accepted events that the filter of a view left out.'),
    eventsUnkeyed: perView('millrace_events_unkeyed_total', 'Accepted events without a key of the entity of a view.'),
    duplicateConflicts: families.counter({
      name: 'millrace_duplicate_conflicts_total',
      help: 'Duplicates whose payload differs from that of the first event of their id.',
      labels: ['stream'],
    }),
    checkpointSeconds: families.histogram({
      name: 'millrace_checkpoint_seconds',
      help: 'Time that a checkpoint took until it was durable.',
      labels: [],
      buckets: checkpointBuckets,
    }),
    checkpointAge: families.gauge({
      name: 'millrace_checkpoint_age_seconds',
      help: 'Time since the newest checkpoint was durable.',
      labels: [],
    }),
    logEndOffset: families.gauge({
      name: 'millrace_log_end_offset',
      help: 'One past the newest durable record.',
      labels: ['topic', 'partition'],
    }),
    stateKeys: families.gauge({
      name: 'millrace_state_keys',
      help: 'Keys of a view whose state is in memory.',
      labels: ['view'],
    }),
    stateBytes: families.gauge({
      name: 'millrace_state_bytes',
      help: 'Memory for the states of a view, lifetime aggregates left out.',
      labels: ['view'],
    }),
  }
}

function makeReadMetrics(families: MetricFamilies) {
  return {
    featureComputation: families.histogram({
      name: 'feature_computation_seconds',
      help: 'Time to compute the features of one request, by view or service.',
      labels: ['feature_type'],
      buckets: computationBuckets,
    }),
    httpRequest: families.histogram({
      name: 'millrace_http_request_seconds',
      help: 'Time from the head of a request to the end of its answer.',
      labels: ['route', 'status'],
      buckets: requestBuckets,
    }),
  }
}

function makePredictionMetrics(families: MetricFamilies) {
  return {
    answers: families.counter({
      name: 'millrace_answers_total',
      help: 'Records of the log that were answered, by the topic of the answers and by outcome.',
      labels: ['topic', 'outcome'],
    }),
    scoresWaiting: families.gauge({
      name: 'millrace_scores_waiting',
      help: 'Events that are folded and whose predictions are not written yet.',
      labels: [],
    }),
    predictions: families.counter({
      name: 'millrace_predictions_total',
      help: 'Entities that a prediction was asked for, by version, stage and what came of it.',
      labels: ['model', 'version', 'stage', 'outcome'],
    }),
    shadowDifferenceSum: families.gauge({
      name: 'millrace_shadow_difference_sum',
      help: 'Absolute differences of the outputs of a shadow from those served, added up.',
      labels: ['model', 'version', 'output'],
    }),
    shadowDifferenceCount: families.counter({
      name: 'millrace_shadow_difference_count',
      help: 'Outputs of a shadow that were compared with those served.',
      labels: ['model', 'version', 'output'],
    }),
    actions: families.counter({
      name: 'millrace_actions_total',
      help: 'Predictions that met the rule of an action, and what became of them: delivered, retried, or dead.',
      labels: ['action', 'what'],
    }),
    actionWaiting: families.gauge({
      name: 'millrace_action_waiting',
      help: 'Predictions that an action has not judged, or is not done with.',
      labels: ['action'],
    }),
    actionOldest: families.gauge({
      name: 'millrace_action_oldest_seconds',
      help: 'Age of the oldest prediction that an action has in hand; 0 when it has none.',
      labels: ['action'],
    }),
    actionStopped: families.gauge({
      name: 'millrace_action_stopped',
      help: '1 while an action is stopped.',
      labels: ['action'],
    }),
    modelSwitches: families.counter({
      name: 'millrace_model_switches_total',
      help: 'Times that another version of a model of the registry took over here.',
      labels: [],
    }),
    modelLoadFailures: families.counter({
      name: 'millrace_model_load_failures_total',
      help: 'Versions of models that could not go live or be a shadow here.',
      labels: [],
    }),
    predictionSeconds: families.histogram({
      name: 'millrace_prediction_seconds',
      help: 'Time to read the vectors of one request and to run the model on them.',
      labels: ['model'],
      buckets: requestBuckets,
    }),
  }
}
