import type { HistogramValue, MetricFamilies, Reported } from './metric-families.ts'

type Version = 'model' | 'version'

/** What models gave and got. Bounded by the models that are loaded, their inputs, and the bins of a score. */
export type ModelMetrics = {
  readonly scores: Reported<Version, HistogramValue>
  /** `outcome`: refused, failed, or fallback. */
  readonly reasons: Reported<Version | 'outcome' | 'reason', number>
  readonly inputs: Reported<Version | 'input' | 'status', number>
  readonly inputDrift: Reported<Version | 'input', number>
  readonly inputNulls: Reported<Version | 'input', number>
  readonly inputWarming: Reported<Version | 'input', number>
  readonly inputVectors: Reported<Version, number>
  /** `state`: joined, positive, late or missing. */
  readonly labels: Reported<Version | 'state', number>
  readonly labelledShare: Reported<Version, number>
  readonly auc: Reported<Version, number>
  readonly aucError: Reported<Version, number>
  readonly averagePrecision: Reported<Version, number>
  readonly brier: Reported<Version, number>
  readonly calibrationError: Reported<Version, number>
  /** `bin`: the least score of it. */
  readonly calibrationCount: Reported<Version | 'bin', number>
  readonly calibrationScore: Reported<Version | 'bin', number>
  readonly calibrationRate: Reported<Version | 'bin', number>
  readonly remote: RemoteMetrics
}

type Server = Version | 'server'

export type RemoteMetrics = {
  /** 1 for the state that it is in, 0 for the others. */
  readonly circuit: Reported<Server | 'state', number>
  /** `outcome`: answered, or the reason why not. */
  readonly requests: Reported<Server | 'outcome', number>
  readonly repeats: Reported<Server, number>
  readonly retriesLeft: Reported<Server, number>
  readonly seconds: Reported<Server, HistogramValue>
}

const version = ['model', 'version'] as const

export function makeModelMetrics(families: MetricFamilies): ModelMetrics {
  const gauge = (name: string, help: string): Reported<Version, number> =>
    families.reported({ name: `millrace_model_${name}`, type: 'gauge', help, labels: version })
  return {
    scores: families.reportedHistogram({
      name: 'millrace_model_score',
      help: 'Scores that a version gave in this process, served or as a shadow: its output "prediction", or its first.',
      labels: version,
    }),
    reasons: families.reported({
      name: 'millrace_model_unanswered_total',
      type: 'counter',
      help: 'Entities that a version gave nothing for, by why; "fallback": something else answered in its place.',
      labels: [...version, 'outcome', 'reason'],
    }),
    ...makeInputMetrics(families),
    labels: families.reported({
      name: 'millrace_model_labels',
      type: 'gauge',
      help: 'Scores of the last two horizons: with a label, with a positive one, with one that came late, with none.',
      labels: [...version, 'state'],
    }),
    labelledShare: gauge(
      'labels_sample_share',
      'Share of predictions, by hash of their ids, that labels are held for.',
    ),
    auc: gauge('auc', 'Area under the ROC curve of scores with a label. None while labels are of one kind.'),
    aucError: gauge('auc_standard_error', 'Standard error of millrace_model_auc, after Hanley and McNeil.'),
    averagePrecision: gauge('average_precision', 'Average precision of scores with a label. None without a positive.'),
    brier: gauge('brier', 'Mean squared distance of score and label. None where scores are no probabilities.'),
    calibrationError: gauge('calibration_error', 'Expected calibration error, by ten bins of equal width.'),
    ...makeCalibrationMetrics(families),
    remote: makeRemoteMetrics(families),
  }
}

function makeInputMetrics(families: MetricFamilies) {
  const perInput = (name: string, help: string): Reported<Version | 'input', number> =>
    families.reported({ name: `millrace_model_input_${name}`, type: 'gauge', help, labels: [...version, 'input'] })
  return {
    inputs: families.reported({
      name: 'millrace_model_inputs_total',
      type: 'counter',
      help: 'Inputs that came for a version, by status.',
      labels: [...version, 'input', 'status'],
    }),
    inputDrift: perInput('psi', 'Population stability index against the training set, over the newest vectors.'),
    inputNulls: perInput('nulls', 'Share of nulls in the newest vectors.'),
    inputWarming: perInput('warming', 'Share of warming values in the newest vectors.'),
    inputVectors: families.reported({
      name: 'millrace_model_input_vectors',
      type: 'gauge',
      help: 'How many the newest vectors are: the last 17,500 to 20,000. Of fewer than 1,000 drift says little.',
      labels: version,
    }),
  }
}

function makeCalibrationMetrics(families: MetricFamilies) {
  const perBin = (name: string, help: string): Reported<Version | 'bin', number> =>
    families.reported({ name: `millrace_model_calibration_${name}`, type: 'gauge', help, labels: [...version, 'bin'] })
  return {
    calibrationCount: perBin('count', 'Scores with a label, by the least score of the bin.'),
    calibrationScore: perBin('mean_score', 'Mean score of a bin: the rate that it promises.'),
    calibrationRate: perBin('rate', 'Share of positives in a bin.'),
  }
}

function makeRemoteMetrics(families: MetricFamilies): RemoteMetrics {
  const labels = [...version, 'server'] as const
  return {
    circuit: families.reported({
      name: 'millrace_remote_circuit',
      type: 'gauge',
      help: "1 for the state of a model server's circuit: closed, open (it is left alone) or half open.",
      labels: [...labels, 'state'],
    }),
    requests: families.reported({
      name: 'millrace_remote_requests_total',
      type: 'counter',
      help: 'Runs that a model server was asked for, by what came of them.',
      labels: [...labels, 'outcome'],
    }),
    repeats: families.reported({
      name: 'millrace_remote_repeats_total',
      type: 'counter',
      help: 'Requests that were sent again.',
      labels,
    }),
    retriesLeft: families.reported({
      name: 'millrace_remote_retries_left',
      type: 'gauge',
      help: 'Requests that may be sent again at this moment.',
      labels,
    }),
    seconds: families.reportedHistogram({
      name: 'millrace_remote_seconds',
      help: 'Time from asking a model server until its answer was there, repetitions included.',
      labels,
    }),
  }
}
