import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { reliabilityFiles } from '../../scripts/reliability.ts'

test('docs/RELIABILITY.md says what the recorded results say', () => {
  for (const { file, content } of reliabilityFiles()) {
    const found = readFileSync(join(import.meta.dirname, '../..', file), 'utf8')
    assert.equal(found, content, `${file} is out of step: node --conditions=millrace-source scripts/reliability.ts`)
  }
})
