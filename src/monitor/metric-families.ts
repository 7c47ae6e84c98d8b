import { Counter, Gauge, type Histogram, type MetricValueWithName, Registry } from 'prom-client'
import { assert } from '../base/assert.ts'

/** Only grows. Adding costs one addition: Prometheus's own objects are filled when they are rendered. */
export type CounterHandle = {
  add(count?: number): void
  /** Takes over a total that is counted elsewhere, for collectors; a lower one than before is a restart to a reader. */
  setTotal(total: number): void
}

export type GaugeHandle = { set(value: number): void }

/** Costs a few nanoseconds; keep the handle, which costs more to find. */
export type HistogramHandle = { observe(value: number): void }

/**
 * One metric for all values of its labels. `of` gives the same handle for the same values: look it up once and keep
 * it. Values of labels come from bounded sets (streams, views, routes, partitions), never from keys or paths.
 */
export type Family<Labels extends string, Handle> = { of(labels: Readonly<Record<Labels, string | number>>): Handle }

/** Series whose values are known elsewhere: all of them anew at each render, and one that is not given is gone. */
export type Reported<Labels extends string, Value> = {
  from(
    read: () => Iterable<{ readonly labels: Readonly<Record<Labels, string | number>>; readonly value: Value }>,
  ): void
}

/** Counts of what lies at or below each bound and above the one before; one more than bounds. */
export type HistogramValue = {
  readonly bounds: readonly number[]
  readonly counts: ArrayLike<number>
  readonly sum: number
}

type Description<Labels extends string> = {
  readonly name: string
  readonly help: string
  readonly labels: readonly Labels[]
}

/** The value of every label of the series that stands for those beyond the limit. */
const other = 'other'

/**
 * Makes metrics in a registry of their own. A family holds at most `seriesMax` series: what is counted or observed
 * beyond them goes to one series labelled `other`, a gauge beyond them is not kept, and
 * `millrace_metric_series_refused_total` says of which metric. A mistake in a label must not fill the memory of the
 * process and of whoever collects from it.
 */
export class MetricFamilies {
  readonly #registry = new Registry()
  readonly #seriesMax: number
  /** One series per metric, so bounded by itself. */
  readonly #refused: Counter<'metric'>

  constructor(seriesMax: number) {
    this.#seriesMax = seriesMax
    this.#refused = new Counter({
      name: 'millrace_metric_series_refused_total',
      help: 'Uses of a set of labels beyond the limit of series of a metric.',
      labelNames: ['metric'],
      registers: [this.#registry],
    })
  }

  counter<Labels extends string>(description: Description<Labels>): Family<Labels, CounterHandle> {
    const cells = new Map<CounterCell, Record<string, string>>()
    new Counter({
      ...settings(description, this.#registry),
      collect() {
        this.reset()
        for (const [cell, labels] of cells) this.inc(labels, cell.total)
      },
    })
    return this.#family(description, (labels) => {
      const cell = new CounterCell()
      cells.set(cell, labels)
      return cell
    })
  }

  gauge<Labels extends string>(description: Description<Labels>): Family<Labels, GaugeHandle> {
    const gauge = new Gauge(settings(description, this.#registry))
    // The values of several sources in one series would say nothing of any of them.
    return this.#family(description, (labels, beyond) => (beyond ? { set: () => undefined } : gauge.labels(labels)))
  }

  histogram<Labels extends string>(
    description: Description<Labels> & { readonly buckets: readonly number[] },
  ): Family<Labels, HistogramHandle> {
    const { buckets, ...rest } = description
    const cells = new Map<HistogramCell, Record<string, string>>()
    this.#render(rest, 'histogram', () =>
      [...cells].flatMap(([cell, labels]) => histogramValues(rest.name, labels, cell)),
    )
    const family = this.#family(rest, (labels) => {
      // Shown from the start, all zero: a series that appears with its first value hides that value from `rate`.
      const cell = new HistogramCell(buckets)
      cells.set(cell, labels)
      return cell
    })
    if (rest.labels.length === 0) family.of({} as Record<Labels, string>)
    return family
  }

  reported<Labels extends string>(
    description: Description<Labels> & { readonly type: 'counter' | 'gauge' },
  ): Reported<Labels, number> {
    return this.#report(description, (labels, value) => [{ labels, value } as MetricValueWithName<string>])
  }

  reportedHistogram<Labels extends string>(description: Description<Labels>): Reported<Labels, HistogramValue> {
    const { name } = description
    return this.#report({ ...description, type: 'histogram' }, (labels, value) => histogramValues(name, labels, value))
  }

  async render(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() }
  }

  #report<Labels extends string, Value>(
    description: Description<Labels> & { readonly type: string },
    valuesOf: (labels: Record<string, string>, value: Value) => MetricValueWithName<string>[],
  ): Reported<Labels, Value> {
    const { name, labels: names } = description
    let given: Parameters<Reported<Labels, Value>['from']>[0] = () => []
    this.#render(description, description.type, () => {
      const series = [...given()]
      if (series.length > this.#seriesMax) this.#refused.inc({ metric: name }, series.length - this.#seriesMax)
      return series
        .slice(0, this.#seriesMax)
        .flatMap(({ labels, value }) =>
          valuesOf(Object.fromEntries(names.map((label) => [label, String(labels[label])])), value),
        )
    })
    return {
      from: (read) => {
        given = read
      },
    }
  }

  /** A registry renders whatever can say its values; prom-client's own histogram looks its labels up at each of them. */
  #render(
    { name, help }: Pick<Description<string>, 'name' | 'help'>,
    type: string,
    values: () => MetricValueWithName<string>[],
  ): void {
    const get = async () => await Promise.resolve({ name, help, type, values: values() })
    this.#registry.registerMetric({ name, type, get } as unknown as Histogram)
  }

  #family<Labels extends string, Handle>(
    { name, labels: names }: Description<Labels>,
    make: (labels: Record<string, string>, beyond: boolean) => Handle,
  ): Family<Labels, Handle> {
    const handles = new Map<string, Handle>()
    let overflow: Handle | undefined
    return {
      of: (given) => {
        const values = names.map((label) => String(given[label]))
        const key = values.length === 1 ? values[0]! : JSON.stringify(values)
        const found = handles.get(key)
        if (found !== undefined) return found
        if (handles.size >= this.#seriesMax) {
          this.#refused.inc({ metric: name })
          overflow ??= make(Object.fromEntries(names.map((label) => [label, other])), true)
          return overflow
        }
        const handle = make(Object.fromEntries(names.map((label, index) => [label, values[index]!])), false)
        handles.set(key, handle)
        return handle
      },
    }
  }
}

class CounterCell implements CounterHandle {
  total = 0

  add(count = 1): void {
    this.total += count
  }

  setTotal(total: number): void {
    this.total = total
  }
}

class HistogramCell implements HistogramHandle, HistogramValue {
  /** Ascending. */
  readonly bounds: readonly number[]
  readonly counts: number[]
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Array<number>(bounds.length + 1).fill(0)
  }

  observe(value: number): void {
    assert(Number.isFinite(value), 'what is observed is a number')
    let index = 0
    while (index < this.bounds.length && value > this.bounds[index]!) index += 1
    this.counts[index]! += 1
    this.sum += value
  }
}

/** As Prometheus has a histogram: each bucket counts what is in those below it too. */
function histogramValues(
  name: string,
  labels: Record<string, string>,
  { bounds, counts, sum }: HistogramValue,
): MetricValueWithName<string>[] {
  let count = 0
  const buckets = [...bounds, '+Inf'].map((le, index) => {
    count += counts[index]!
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}

function settings<Labels extends string>({ name, help, labels }: Description<Labels>, registry: Registry) {
  // Without `registers`, prom-client would put the metric into a registry that the whole process shares.
  return { name, help, labelNames: [...labels] as string[], registers: [registry] }
}
