import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('demo.ts', import.meta.url))

describe('the demo', { concurrency: true }, () => {
  test('ends by itself and passes its own checks', { timeout: 60_000 }, async () => {
    const { code, text } = await finish(start('--seconds', '4'))
    assert.equal(code, 0, text)
    const found = /(\d+) sampled vectors compared with training rows: (\d+) equal, 0 different/.exec(summaryOf(text))
    assert.ok(found !== null && Number(found[1]) >= 20 && found[1] === found[2], text)
    const records = /records +([\d,]+) = ([\d,]+) accepted \+ ([\d,]+) duplicate \+ ([\d,]+) late \+ ([\d,]+) refused/
    const [all, ...parts] = records
      .exec(summaryOf(text))!
      .slice(1)
      .map((number) => Number(number.replaceAll(',', '')))
    assert.ok(parts.every((part) => part > 0))
    assert.equal(
      parts.reduce((sum, part) => sum + part, 0),
      all,
    )
    // Where the history took all of the time, nothing was live, and no model was asked.
    const live = /^model /m.test(summaryOf(text))
    assert.equal(text.match(/^ok /gm)?.length, live ? 9 : 6)
    assert.ok(!text.includes('FAILED'))
    assert.ok(!text.includes(String.fromCharCode(27)), 'no escape codes where there is no terminal')
  })

  test('ends with the same summary when it is interrupted', { timeout: 60_000 }, async () => {
    const child = start()
    child.stdout.once('data', () => {
      setTimeout(() => child.kill('SIGINT'), 1_500)
    })
    const { code, text } = await finish(child)
    assert.equal(code, 0, text)
    assert.match(summaryOf(text), /0 different/)
  })

  test('leaves a folder alone that has something in it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-demo-test-'))
    try {
      await writeFile(join(folder, 'mine'), '')
      const { code, errors } = await finish(start('--folder', folder))
      assert.equal(code, 1)
      assert.match(errors, /is not empty/)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('says what it takes when it is asked for something else', async () => {
    const { code, errors } = await finish(start('--speed', '0'))
    assert.equal(code, 2)
    assert.match(errors, /--speed TIMES/)
  })
})

function start(...args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, ['--conditions=millrace-source', file, ...args])
}

async function finish(child: ChildProcessWithoutNullStreams): Promise<{ code: number; text: string; errors: string }> {
  let text = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, text, errors }
}

/** What comes after the last moment shown. */
function summaryOf(text: string): string {
  return text.slice(text.lastIndexOf('\npayments '))
}
