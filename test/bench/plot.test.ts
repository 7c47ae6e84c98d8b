import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { chartsSvg, cumulativeChart, type LineChart, shortNumber } from '../../bench/plot.ts'

const chart: LineChart = {
  kind: 'lines',
  title: 'cost & <size>',
  x: { title: 'keys', scale: 'log' },
  y: { title: 'ns per event', scale: 'log' },
  lines: [
    {
      name: 'millrace',
      role: 'ours',
      points: [
        [10, 100],
        [1_000, 1_000],
        [100_000, 10_000],
      ],
    },
    { name: 'Maps', role: 'peer', points: [[10, 0]] },
  ],
}

function placesIn(svg: string): number[][] {
  const [, points] = /points="([^"]+)"/.exec(svg)!
  return points!.split(' ').map((place) => place.split(',').map(Number))
}

describe('pictures of results', () => {
  test('on logarithmic axes equal ratios are equal distances', () => {
    const [one, two, three] = placesIn(chartsSvg([chart]))
    assert.ok(Math.abs(two![0]! - one![0]! - (three![0]! - two![0]!)) < 0.2)
    assert.ok(Math.abs(two![1]! - one![1]! - (three![1]! - two![1]!)) < 0.2)
    assert.ok(two![0]! > one![0]! && two![1]! < one![1]!)
  })

  test('a linear axis begins at zero', () => {
    const points = [
      [0, 0],
      [50, 50],
      [100, 100],
    ] as const
    const linear = { title: 'x', scale: 'linear' } as const
    const [zero, middle, end] = placesIn(
      chartsSvg([{ ...chart, x: linear, y: linear, lines: [{ name: 'a', role: 'ours', points }] }]),
    )
    assert.ok(Math.abs(end![0]! - middle![0]! - (middle![0]! - zero![0]!)) < 0.2)
    assert.ok(zero![1]! > end![1]!)
  })

  test('zero has no place on a logarithmic axis, and texts are escaped', () => {
    const svg = chartsSvg([chart])
    assert.match(svg, /cost &amp; &lt;size&gt;/)
    assert.doesNotMatch(svg, /NaN|Infinity/)
    assert.match(svg, /stroke-dasharray="5 3" points=""/)
  })

  test('bars are as long as their values, and charts lie one below the other', () => {
    const bars = [
      { name: 'a', role: 'ours', value: 50 },
      { name: 'b', role: 'peer', value: 100 },
    ] as const
    const svg = chartsSvg([chart, { kind: 'bars', title: 'rates', unit: 'k/s', bars }])
    const lengths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, length]) => Number(length))
    assert.equal(lengths[1], lengths[0]! * 2)
    assert.match(svg, /translate\(0,306\)/)
  })

  test('a cumulative chart ends at all samples', () => {
    const { lines } = cumulativeChart('a', 'ms', [3, 1, 2, 4])
    assert.deepEqual(lines[0]!.points, [
      [1, 25],
      [2, 50],
      [3, 75],
      [4, 100],
    ])
  })

  test('numbers are short', () => {
    assert.deepEqual([999.9, 1_234_567, 0.00123, 42].map(shortNumber), ['1 k', '1.23 M', '0.00123', '42'])
  })
})
