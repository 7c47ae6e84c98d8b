import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { reasonToSkip } from './broker.ts'

const demo = join(import.meta.dirname, '../../examples/kafka/demo.ts')

test('npm run demo:kafka sees every step and ends by itself', { skip: await reasonToSkip() }, async () => {
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    execFile(process.execPath, ['--conditions=millrace-source', demo], (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, output: stdout + stderr })
    })
  })
  assert.equal(code, 0, output)
  assert.match(output, /^Every step was seen\.$/m)
  assert.ok((output.match(/^\d {2}/gm)?.length ?? 0) >= 7, output)
  assert.ok(!output.includes('nothing'), output)
})
