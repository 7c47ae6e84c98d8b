import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { aims, answersTo, notHere } from '../../bench/aims.ts'
import { allBenches } from '../../bench/catalog.ts'
import { pageOf } from '../../bench/page.ts'
import { readResults } from '../../bench/results.ts'

describe('the page of results', () => {
  test('every aim that has a result finds its figures there', () => {
    const records = readResults(false)
    for (const aim of aims) {
      if (!records.some(({ name }) => name === aim.bench)) continue
      assert.ok(answersTo(aim, records).length > 0, `${aim.bench} has no row that matches ${String(aim.rows)}`)
    }
  })

  test('every result is that of a benchmark that exists', async () => {
    const names = (await allBenches()).map(({ name }) => name)
    assert.deepEqual(
      readResults(false).filter(({ name }) => !names.includes(name)),
      [],
    )
  })

  test('what is not measured is said, with the reason', async () => {
    const without = notHere(['fold'])
    assert.ok(without.some(({ what, why }) => what.startsWith('Kafka') && why.includes('broker')))
    assert.match(pageOf([], 'results/'), /not measured: no result of `fold`/)
  })

  test('a section names machine, command, runs and spread', () => {
    const page = pageOf(
      [
        {
          name: 'x',
          describe: 'One thing against another',
          date: '2026-01-02T03:04:05Z',
          command: 'npm run bench -- x',
          runs: 3,
          machine: { cpu: 'A CPU', cores: 2, memoryBytes: 2 ** 34 },
          versions: { node: '24' },
          rows: [{ what: 'a|b', value: 2, unit: 'ms', samples: [1, 2, 3], side: 'ours', note: 'all of it' }],
        },
      ],
      'results/',
    )
    assert.match(page, /`npm run bench -- x`: 3 runs, 2026-01-02, 2 cores \(A CPU\), 16 GiB; node 24\./)
    assert.match(page, /\| a\\\|b \| 2 \| 1 to 3 \| ms \| all of it \|/)
    assert.match(page, /!\[x\]\(results\/x\.svg\)/)
  })
})
