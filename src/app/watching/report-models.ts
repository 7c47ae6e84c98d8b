import type { Calibration } from '../../model/quality/calibration.ts'
import type { InputWatch } from '../../model/quality/input-window.ts'
import type { WatchedVersion } from '../../model/quality/version-watch.ts'
import { remoteSecondsBounds, type RemoteWatch } from '../../model/remote/remote-watch.ts'
import type { Reported } from '../../monitor/metric-families.ts'
import type { Metrics, ModelMetrics } from '../../monitor/metrics.ts'
import type { WatchedModel } from '../loaded-model.ts'
import type { VersionQuality } from './label-watch.ts'

type Version = { readonly model: string; readonly version: number }
type Series<Labels, Value> = { readonly labels: Labels; readonly value: Value }

/** Shows in the metrics what goes through the models of a process. */
export function reportModels(models: () => readonly WatchedModel[], metrics: Metrics): void {
  let watched: (Version & WatchedVersion)[] = []
  // Counted together once, for all the metrics that are made of it.
  metrics.collectWith(() => {
    watched = models().map(({ name, watch }) => ({ model: name.name, version: name.version, ...watch.watch() }))
  })
  const { scores, reasons, inputVectors, inputs } = metrics.models
  scores.from(() => watched.map(({ model, version, scores: value }) => ({ labels: { model, version }, value })))
  reasons.from(() =>
    watched.flatMap(({ model, version, reasons: list }) =>
      list.map(({ outcome, reason, count }) => ({ labels: { model, version, outcome, reason }, value: count })),
    ),
  )
  inputVectors.from(() => watched.map(({ model, version, vectors: value }) => ({ labels: { model, version }, value })))
  inputs.from(() =>
    watched.flatMap(({ model, version, inputs: list }) =>
      list.flatMap(({ name: input, statuses }) =>
        Object.entries(statuses).map(([status, value]) => ({ labels: { model, version, input, status }, value })),
      ),
    ),
  )
  const perInput = (
    metric: Reported<'model' | 'version' | 'input', number>,
    valueOf: (input: InputWatch) => number | null,
  ): void =>
    metric.from(() =>
      watched.flatMap(({ model, version, vectors, inputs: list }) =>
        list.flatMap((input) => {
          const value = vectors === 0 ? null : valueOf(input)
          return value === null ? [] : [{ labels: { model, version, input: input.name }, value }]
        }),
      ),
    )
  perInput(metrics.models.inputDrift, ({ psi }) => psi)
  perInput(metrics.models.inputNulls, ({ nulls }) => nulls)
  perInput(metrics.models.inputWarming, ({ warming }) => warming)
  reportRemotes(models, metrics.models)
}

/** Shows in the metrics how good predictions were. A figure that there is none of is not shown. */
export function reportQuality(quality: () => readonly VersionQuality[], metrics: Metrics): void {
  const { models } = metrics
  const per = (metric: Reported<'model' | 'version', number>, valueOf: (one: VersionQuality) => number | null): void =>
    metric.from(() =>
      quality().flatMap((one) => {
        const value = valueOf(one)
        return value === null ? [] : [{ labels: { model: one.model, version: one.version }, value }]
      }),
    )
  per(models.labelledShare, ({ share }) => share)
  per(models.auc, ({ auc }) => auc)
  per(models.aucError, ({ aucError }) => aucError)
  per(models.averagePrecision, ({ averagePrecision }) => averagePrecision)
  per(models.brier, ({ calibration }) => calibration?.brier ?? null)
  per(models.calibrationError, ({ calibration }) => calibration?.error ?? null)
  models.labels.from(() =>
    quality().flatMap(({ model, version, labels: { joined, positives: positive, late, missing } }) =>
      Object.entries({ joined, positive, late, missing }).map(([state, value]) => ({
        labels: { model, version, state },
        value,
      })),
    ),
  )
  const perBin = (
    metric: Reported<'model' | 'version' | 'bin', number>,
    valueOf: (bin: Calibration['bins'][number]) => number,
  ): void =>
    metric.from(() =>
      quality().flatMap(({ model, version, calibration }) =>
        (calibration?.bins ?? []).map((bin) => ({ labels: { model, version, bin: bin.low }, value: valueOf(bin) })),
      ),
    )
  perBin(models.calibrationCount, ({ count }) => count)
  perBin(models.calibrationScore, ({ meanScore }) => meanScore)
  perBin(models.calibrationRate, ({ rate }) => rate)
}

function reportRemotes(models: () => readonly WatchedModel[], { remote }: ModelMetrics): void {
  type Labels = Version & { readonly server: string }
  const each = <Labelled, Value>(
    seriesOf: (watch: RemoteWatch, labels: Labels) => readonly Series<Labelled, Value>[],
  ): (() => Series<Labelled, Value>[]) => {
    return () =>
      models().flatMap(({ name, remotes }) =>
        remotes.flatMap((one) => seriesOf(one, { model: name.name, version: name.version, server: one.server })),
      )
  }
  remote.circuit.from(
    each(({ circuit }, labels) =>
      (['closed', 'open', 'half open'] as const).map((state) => ({
        labels: { ...labels, state },
        value: state === circuit ? 1 : 0,
      })),
    ),
  )
  remote.requests.from(
    each(({ counts }, labels) =>
      [['answered', counts.answered] as const, ...counts.failed].map(([outcome, value]) => ({
        labels: { ...labels, outcome },
        value,
      })),
    ),
  )
  remote.repeats.from(each(({ counts }, labels) => [{ labels, value: counts.repeated }]))
  remote.retriesLeft.from(each(({ retriesLeft }, labels) => [{ labels, value: retriesLeft }]))
  remote.seconds.from(
    each(({ counts }, labels) => [{ labels, value: { bounds: remoteSecondsBounds, ...counts.seconds } }]),
  )
}
