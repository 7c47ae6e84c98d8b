import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BenchContext, compare, figure, makeRecord, median, repeat, table } from '../../bench/harness.ts'
import { runLoad } from '../../bench/load.ts'
import { startNodeHttp } from '../../bench/peers/node-http.ts'

function quiet(runs: number): BenchContext {
  return { runs, quick: false, folder: '', log: () => {}, chart: () => {} }
}

/** A side that gives its samples in turn and notes when it was asked. The first is the turn before the runs. */
function side(what: string, samples: readonly number[], asked: string[]): { what: string; measure: () => number } {
  let next = 0
  return {
    what,
    measure: () => {
      asked.push(what)
      return samples[next++]!
    },
  }
}

describe('the frame of the benchmarks', () => {
  test('sides take turns, and the ratio is the median of the pairs, not the ratio of the medians', async () => {
    const asked: string[] = []
    const comparison = { unit: 'ms', better: 'lower' } as const
    const contender = side('A', [99, 1, 10, 4], asked)
    const peer = side('B', [99, 3, 20, 4], asked)
    const rows = await compare(quiet(3), { contender, peer, ...comparison })
    assert.equal(asked.join(''), 'ABABABAB')
    assert.deepEqual(
      rows.map(({ value }) => value),
      [4, 4, 2],
    )
    assert.deepEqual(rows[2]!.samples, [3, 2, 1])
  })

  test('of rates, more is better', async () => {
    const contender = side('A', [0, 300], [])
    const peer = side('B', [0, 100], [])
    const rows = await compare(quiet(1), { contender, peer, unit: 'requests/s', better: 'higher' })
    assert.equal(rows[2]!.value, 3)
  })

  test('a side alone is repeated without its first turn', async () => {
    assert.deepEqual((await repeat(quiet(2), side('A', [9, 1, 3], []), 'ms')).samples, [1, 3])
  })

  test('the median of an even number of samples lies between the middle two', () => {
    assert.equal(median([4, 1, 3, 2]), 2.5)
    assert.equal(median([3, 1, 2]), 2)
  })

  test('the table is aligned', () => {
    const rows = [
      { what: 'write', value: 1234.5, unit: 'ms', samples: [1000, 2000] },
      { what: 'heap', value: 0.5, unit: 'MB', note: 'per key' },
    ]
    assert.equal(
      table(rows),
      [
        '       median    min    max',
        'write   1,235  1,000  2,000  ms',
        'heap      0.5                MB  per key',
      ].join('\n'),
    )
    assert.equal(figure(0.012345), '0.01235')
    assert.equal(figure(1_754_155), '1,754,155')
  })

  test('a record says where and with what it came about', async () => {
    const bench = { name: 'x', describe: 'y', peers: ['hyparquet'], run: async () => [] }
    const record = await makeRecord(bench, { rows: [] }, { date: '2026-01-01', command: 'npm run bench -- x', runs: 1 })
    assert.equal(record.date, '2026-01-01')
    assert.equal(record.versions['node'], process.versions.node)
    assert.match(record.versions['hyparquet']!, /^\d+\.\d+\.\d+$/)
    assert.ok(record.machine.cores > 0 && record.machine.memoryBytes > 0)
  })

  test('the load ends after its requests, and every one of them was answered', async () => {
    const server = await startNodeHttp('{"answer":"żółw"}')
    const bodies: number[] = []
    const body = (n: number): string => {
      bodies.push(n)
      return `{"n":${n}}`
    }
    const result = await runLoad({ port: server.port, path: '/x', body, connections: 3, seconds: 30, requestsMax: 50 })
    assert.equal(result.requests, 50)
    assert.equal(result.refused, 0)
    assert.deepEqual(
      bodies,
      Array.from({ length: 50 }, (_, n) => n),
    )
    assert.ok(result.p50Ms > 0 && result.p50Ms <= result.p99Ms && result.p99Ms <= result.longestMs + 0.01)
    assert.ok((await server.cpuSeconds()) > 0)
    const body2 = (): string => '{}'
    const open = await runLoad({
      port: server.port,
      path: '/x',
      body: body2,
      connections: 4,
      seconds: 1,
      perSecond: 100,
    })
    assert.ok(open.requests > 80 && open.requests <= 100, `${open.requests} requests at a rate of 100`)
    await server.close()
    await assert.rejects(runLoad({ port: server.port, path: '/x', body, connections: 1, seconds: 1 }), /ECONNREFUSED/)
  })
})
