import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plainText } from './plain.ts'
import type { Sample } from './samples.ts'
import { screenLines } from './screen.ts'
import type { Snapshot } from './snapshot.ts'
import { fit, makePalette } from './text.ts'

const escape = String.fromCharCode(27)
const sample: Sample = {
  kind: 'with event',
  customerId: 17,
  terminalId: 23,
  asOf: Date.UTC(2025, 5, 2, 12, 0, 0, 1),
  values: [3, 57.16, 9, 50.5, 41, 61 / 3, 0, 0, 1, 0, 5, 0.25, 20, 1 / 3],
}
const payment = {
  paymentId: 'p00045-000001',
  customerId: 17,
  terminalId: 23,
  amount: 57.16,
  at: sample.asOf - 1,
  fraud: true,
  scenario: 3,
} as const
const verdicts = {
  records: 10,
  accepted: 7,
  duplicate: 1,
  late: 1,
  refused: 1,
  conflicts: 0,
}
const snapshot: Snapshot = {
  simulatedAt: sample.asOf,
  warmUp: null,
  speed: 43_200,
  elapsedSeconds: 2,
  rates: { now: 1_234, overall: 1_000 },
  counts: {
    sources: [
      {
        stream: 'payments',
        topic: 'payments',
        partition: 0,
        next: 10,
        watermark: 0,
        ...verdicts,
      },
    ],
    views: {
      customer_spending: {
        applied: 7,
        filtered: 0,
        unkeyed: 0,
        forgotten: 0,
        before: 0,
      },
    },
  },
  payments: Array.from({ length: 16 }, () => ({
    payment,
    sample,
    score: 0.75,
  })),
  deadLetters: Array.from({ length: 8 }, (_, offset) => ({
    stream: 'payments',
    topic: 'payments',
    partition: 0,
    offset,
    timestampMs: sample.asOf,
    reason: 'TYPE',
    detail: [
      {
        code: 'TYPE',
        path: 'amount',
        came: 'an object',
        allowed: 'a finite number',
      },
    ],
    raw: null,
  })),
  latency: { visibleMsP50: 1.5, visibleMsP99: null, readMsP50: 0.05 },
  scores: {
    champion: {
      model: 'first',
      scored: 200,
      unscored: 0,
      caught: 3,
      missed: 1,
      falseAlarms: 2,
    },
    challenger: {
      model: 'second',
      scored: 200,
      unscored: 0,
      caught: 4,
      missed: 0,
      falseAlarms: 1,
    },
    swappedAt: sample.asOf,
    served: 215,
    whileSwapping: 12,
    failed: 0,
    mixed: 0,
    auc: { champion: 0.875, challenger: null },
  },
  proof: {
    compared: 40,
    different: 0,
    latest: { sample, row: sample.values, equal: true },
    records: 10,
    seconds: 0.1,
    differing: [],
  },
  place: { folder: '/tmp/demo', address: 'http://127.0.0.1:1' },
}
const plain = makePalette(false)
const draw = (changes: Partial<Snapshot> = {}, colored = false): string =>
  screenLines({ ...snapshot, ...changes }, { columns: 100, rows: 48 }, makePalette(colored)).join('\n')

describe('the screen of the demo', () => {
  test('fits every size of terminal', () => {
    for (const columns of [20, 80, 100, 200]) {
      for (const rows of [1, 10, 24, 30, 40, 60]) {
        const lines = screenLines(snapshot, { columns, rows }, plain)
        assert.ok(lines.length <= rows)
        for (const line of lines) assert.ok(line.length <= columns, line)
      }
    }
  })

  test('always has the totals and the proof, down to 80 by 24', () => {
    const text = screenLines(snapshot, { columns: 80, rows: 24 }, plain).join('\n')
    assert.match(text, /10 = 7 accepted \+ 1 duplicate \+ 1 late \+ 1 refused/)
    assert.match(text, /40 sampled vectors compared with training rows: 40 equal, 0 different/)
  })

  test('has everything when there is room', () => {
    const text = draw()
    for (const part of [
      /^12:00:00 .* 0\.75 {2}card$/m,
      /first answered first: 200 scored, 3 of 4 frauds caught, 2 false alarms, AUC 0\.875$/m,
      /TYPE +amount: an object/,
      /^ {2}curl /m,
      /dlq list/,
      /43,200×/,
    ]) {
      assert.match(text, part)
    }
  })

  test('is the same with and without colours, and has none without', () => {
    assert.ok(!draw().includes(escape))
    assert.ok(draw({}, true).includes(escape))
    assert.equal(draw({}, true).replace(new RegExp(`${escape}\\[[0-9;]*m`, 'g'), ''), draw())
  })

  test('says so when records are missing or values differ', () => {
    const sources = [{ ...snapshot.counts.sources[0]!, late: 0 }]
    assert.match(draw(), /✓/)
    assert.match(draw({ counts: { ...snapshot.counts, sources } }), /✗/)
    const row = [...sample.values.slice(0, -1), 1]
    const proof = {
      ...snapshot.proof,
      different: 1,
      latest: { sample, row, equal: false },
    }
    assert.match(draw({ proof }), /39 equal, 1 different/)
    assert.match(draw({ proof }), /≠ 1 *$/m)
  })

  test('draws before anything has happened', () => {
    const nothing = { ...snapshot.proof, compared: 0, latest: null }
    assert.match(draw({ proof: nothing, payments: [], deadLetters: [], warmUp: 0 }), /history first/)
  })
})

describe('the lines of the demo without a terminal', () => {
  test('have no escape codes', () => {
    assert.ok(!plainText(snapshot).includes(escape))
    assert.match(plainText(snapshot), /40 equal, 0 different/)
  })
})

describe('a fitted line', () => {
  test('counts what is seen, and ends the styles that it began', () => {
    assert.equal(fit(`${escape}[31mabc${escape}[39mdef`, 4), `${escape}[31mabc${escape}[39md`)
    assert.equal(fit(`${escape}[31mabcdef${escape}[39m`, 2), `${escape}[31mab${escape}[39m`)
    assert.equal(fit('×█✓', 2), '×█')
  })
})
