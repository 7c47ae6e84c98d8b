import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { register } from 'prom-client'
import { makeMetrics, type Metrics } from '../../src/monitor/metrics.ts'

async function linesOf(metrics: Metrics, name: string): Promise<string[]> {
  const { body } = await metrics.render()
  return body.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
}

describe('metrics', () => {
  test('have the names and types that readers of this field look for', async () => {
    const { contentType, body } = await makeMetrics().render()
    assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8')
    const types = [...body.matchAll(/^# TYPE (\S+ \S+)$/gm)].map((match) => match[1]!).toSorted()
    assert.deepEqual(types, [
      'events_processed_total counter',
      'feature_computation_seconds histogram',
      'feature_quality_completeness gauge',
      'feature_quality_consistency gauge',
      'feature_quality_freshness gauge',
      'feature_quality_validity gauge',
      'kafka_consumer_lag gauge',
      'millrace_action_oldest_seconds gauge',
      'millrace_action_stopped gauge',
      'millrace_action_waiting gauge',
      'millrace_actions_total counter',
      'millrace_answers_total counter',
      'millrace_checkpoint_age_seconds gauge',
      'millrace_checkpoint_seconds histogram',
      'millrace_duplicate_conflicts_total counter',
      'millrace_events_applied_total counter',
      'millrace_events_filtered_total counter',
      'millrace_events_unkeyed_total counter',
      'millrace_group_partitions gauge',
      'millrace_group_rebalance_seconds histogram',
      'millrace_group_rebalances_total counter',
      'millrace_http_request_seconds histogram',
      'millrace_log_end_offset gauge',
      'millrace_metric_series_refused_total counter',
      'millrace_model_auc gauge',
      'millrace_model_auc_standard_error gauge',
      'millrace_model_average_precision gauge',
      'millrace_model_brier gauge',
      'millrace_model_calibration_count gauge',
      'millrace_model_calibration_error gauge',
      'millrace_model_calibration_mean_score gauge',
      'millrace_model_calibration_rate gauge',
      'millrace_model_input_nulls gauge',
      'millrace_model_input_psi gauge',
      'millrace_model_input_vectors gauge',
      'millrace_model_input_warming gauge',
      'millrace_model_inputs_total counter',
      'millrace_model_labels gauge',
      'millrace_model_labels_sample_share gauge',
      'millrace_model_load_failures_total counter',
      'millrace_model_score histogram',
      'millrace_model_switches_total counter',
      'millrace_model_unanswered_total counter',
      'millrace_prediction_seconds histogram',
      'millrace_predictions_total counter',
      'millrace_remote_circuit gauge',
      'millrace_remote_repeats_total counter',
      'millrace_remote_requests_total counter',
      'millrace_remote_retries_left gauge',
      'millrace_remote_seconds histogram',
      'millrace_retention_left_seconds gauge',
      'millrace_scores_waiting gauge',
      'millrace_shadow_difference_count counter',
      'millrace_shadow_difference_sum gauge',
      'millrace_state_bytes gauge',
      'millrace_state_keys gauge',
      'processing_latency_seconds histogram',
    ])
  })

  test('count by label, from zero, and keep what was counted through several renders', async () => {
    const metrics = makeMetrics()
    const accepted = metrics.eventsProcessed.of({ stream: 'payments', status: 'accepted' })
    metrics.eventsProcessed.of({ stream: 'payments', status: 'late' })
    accepted.add()
    await metrics.render()
    accepted.add(41)
    assert.deepEqual(await linesOf(metrics, 'events_processed_total'), [
      'events_processed_total{stream="payments",status="accepted"} 42',
      'events_processed_total{stream="payments",status="late"} 0',
    ])
  })

  test('give one handle for one set of labels, in whatever order they are written', () => {
    const { eventsProcessed, consumerLag } = makeMetrics()
    const first = eventsProcessed.of({ stream: 'payments', status: 'late' })
    assert.equal(eventsProcessed.of({ status: 'late', stream: 'payments' }), first)
    assert.notEqual(eventsProcessed.of({ status: 'payments', stream: 'late' }), first)
    assert.equal(consumerLag.of({ topic: 't', partition: 1 }), consumerLag.of({ topic: 't', partition: '1' }))
  })

  test('set gauges to their newest value', async () => {
    const metrics = makeMetrics()
    const lag = metrics.consumerLag.of({ topic: 'payments.v1', partition: 3 })
    lag.set(7)
    lag.set(0)
    metrics.quality.freshness.of({ view: 'spending' }).set(0.5)
    assert.deepEqual(await linesOf(metrics, 'kafka_consumer_lag'), [
      'kafka_consumer_lag{topic="payments.v1",partition="3"} 0',
    ])
    assert.deepEqual(await linesOf(metrics, 'feature_quality_freshness'), [
      'feature_quality_freshness{view="spending"} 0.5',
    ])
  })

  test('put observations into buckets that include .001 .01 .1 .5 and 1', async () => {
    const metrics = makeMetrics()
    const histograms = [
      ['processing_latency_seconds', metrics.processingLatency.of({})],
      ['feature_computation_seconds', metrics.featureComputation.of({ feature_type: 'fraud_v1' })],
      ['millrace_checkpoint_seconds', metrics.checkpointSeconds.of({})],
      ['millrace_http_request_seconds', metrics.httpRequest.of({ route: 'GET /ready', status: 200 })],
    ] as const
    for (const [name, histogram] of histograms) {
      for (const seconds of [0.0009, 0.009, 0.09, 0.4, 0.9, 100]) histogram.observe(seconds)
      const buckets = (await linesOf(metrics, `${name}_bucket`)).map((line) => {
        const [, bound, count] = /le="([^"]+)".*\} (\d+)$/.exec(line)!
        return [bound, Number(count)] as const
      })
      const counts = new Map(buckets)
      assert.deepEqual(
        ['0.001', '0.01', '0.1', '0.5', '1', '+Inf'].map((bound) => counts.get(bound)),
        [1, 2, 3, 4, 5, 6],
        name,
      )
    }
  })

  test('show the series of a histogram before its first value', async () => {
    const metrics = makeMetrics()
    metrics.httpRequest.of({ route: 'GET /ready', status: 200 })
    assert.deepEqual(await linesOf(metrics, 'millrace_http_request_seconds_count'), [
      'millrace_http_request_seconds_count{route="GET /ready",status="200"} 0',
    ])
  })

  test('ask their collectors before each render, in order, and wait for them', async () => {
    const metrics = makeMetrics()
    let total = 10
    const applied = metrics.eventsApplied.of({ view: 'spending' })
    metrics.collectWith(async () => {
      await Promise.resolve()
      total += 5
    })
    metrics.collectWith(() => applied.setTotal(total))
    assert.deepEqual(await linesOf(metrics, 'millrace_events_applied_total'), [
      'millrace_events_applied_total{view="spending"} 15',
    ])
    assert.deepEqual(await linesOf(metrics, 'millrace_events_applied_total'), [
      'millrace_events_applied_total{view="spending"} 20',
    ])
  })

  test('are not rendered when a collector fails', async () => {
    const metrics = makeMetrics()
    metrics.collectWith(() => {
      throw new Error('the log is closed')
    })
    await assert.rejects(metrics.render(), /the log is closed/)
  })

  test('stay bounded when a label takes ever new values, and say so', async () => {
    const metrics = makeMetrics({ seriesMax: 3 })
    for (let key = 0; key < 1000; key++) {
      metrics.eventsApplied.of({ view: `customer ${key}` }).add()
      metrics.stateKeys.of({ view: `customer ${key}` }).set(key)
      metrics.featureComputation.of({ feature_type: `customer ${key}` }).observe(0.1)
    }
    metrics.eventsApplied.of({ view: 'customer 0' }).add()
    assert.deepEqual(await linesOf(metrics, 'millrace_events_applied_total'), [
      'millrace_events_applied_total{view="customer 0"} 2',
      'millrace_events_applied_total{view="customer 1"} 1',
      'millrace_events_applied_total{view="customer 2"} 1',
      'millrace_events_applied_total{view="other"} 997',
    ])
    assert.equal((await linesOf(metrics, 'millrace_state_keys')).length, 3)
    const counts = await linesOf(metrics, 'feature_computation_seconds_count')
    assert.deepEqual(counts.slice(3), ['feature_computation_seconds_count{feature_type="other"} 997'])
    assert.deepEqual(
      new Set(await linesOf(metrics, 'millrace_metric_series_refused_total')),
      new Set([
        'millrace_metric_series_refused_total{metric="millrace_events_applied_total"} 997',
        'millrace_metric_series_refused_total{metric="millrace_state_keys"} 997',
        'millrace_metric_series_refused_total{metric="feature_computation_seconds"} 997',
      ]),
    )
  })

  test('stay bounded also with a limit smaller than the number of metrics', async () => {
    const metrics = makeMetrics({ seriesMax: 1 })
    const families = [metrics.eventsApplied, metrics.eventsFiltered, metrics.eventsUnkeyed, metrics.stateKeys]
    for (const family of families) for (const view of ['a', 'b', 'c']) family.of({ view })
    assert.equal((await linesOf(metrics, 'millrace_metric_series_refused_total')).length, 4)
  })

  test('show what is reported at each render, and no more what is not reported again', async () => {
    const metrics = makeMetrics({ seriesMax: 2 })
    let series = [{ labels: { model: 'fraud', version: 1 }, value: 0.5 }]
    metrics.models.auc.from(() => series)
    metrics.models.scores.from(() =>
      series.map(({ labels }) => ({ labels, value: { bounds: [0.5], counts: [2, 1], sum: 1.5 } })),
    )
    assert.deepEqual(await linesOf(metrics, 'millrace_model_auc'), [
      'millrace_model_auc{model="fraud",version="1"} 0.5',
    ])
    const { body } = await metrics.render()
    assert.ok(body.includes('millrace_model_score_bucket{le="+Inf",model="fraud",version="1"} 3\n'))
    series = []
    assert.deepEqual(await linesOf(metrics, 'millrace_model_auc'), [])
    series = [1, 2, 3].map((version) => ({ labels: { model: 'fraud', version }, value: version }))
    assert.equal((await linesOf(metrics, 'millrace_model_auc')).length, 2, 'bounded as every other metric')
    const refused = await linesOf(metrics, 'millrace_metric_series_refused_total')
    assert.ok(refused.some((line) => line.includes('"millrace_model_auc"')))
  })

  test('escape what a label holds', async () => {
    const metrics = makeMetrics()
    metrics.eventsApplied.of({ view: 'a"b\\c\nd' }).add()
    assert.deepEqual(await linesOf(metrics, 'millrace_events_applied_total'), [
      'millrace_events_applied_total{view="a\\"b\\\\c\\nd"} 1',
    ])
  })

  test('of two makers are apart, and none is in the registry that a process shares', async () => {
    const [left, right] = [makeMetrics(), makeMetrics()]
    left.eventsApplied.of({ view: 'v' }).add()
    assert.deepEqual(await linesOf(right, 'millrace_events_applied_total'), [])
    assert.deepEqual(register.getMetricsAsArray(), [])
  })
})
