// Goal: what holds inside one process holds for the real command line and the real `millrace dev`.
// Method: the whole corpus that lines can carry in one file, and some of it as arguments; then `dlq list` must have
// exactly the refused ones, byte for byte.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli, startDev } from '../cli/run-cli.ts'
import { carriedBy } from './corpus.ts'

type Listed = { readonly raw: string; readonly detail: { readonly code: string; readonly path: string }[] }

test('the corpus through millrace send, in real processes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-poison-'))
  const data = join(folder, 'data')
  const dev = await startDev([join(import.meta.dirname, 'definitions.ts'), '--folder', data])
  try {
    const lines = carriedBy('cli file')
    const file = join(folder, 'corpus.ndjson')
    await writeFile(file, Buffer.concat(lines.flatMap(({ body }) => [body, Buffer.from('\n')])))
    const { code, stderr } = await runCli(['send', 'payments', `@${file}`, '--url', dev.address])
    assert.equal(code, 1)
    assert.match(stderr, /EVENT_REFUSED/)
    const some = carriedBy('cli argument').filter(
      ({ cannot }, index) => index % 30 === 0 && cannot['cli file'] === undefined,
    )
    for (const { name, body, expected } of some) {
      const sent = await runCli(['send', 'payments', Buffer.from(body).toString(), '--url', dev.address])
      assert.equal(sent.code, expected === 'accepted' ? 0 : 1, `${name}: ${sent.stderr}`)
    }
    dev.process.kill('SIGTERM')
    await dev.finished
    const listed = await runCli(['dlq', 'list', '--folder', data, '--limit', '1000', '--json'])
    const describe = (raw: Buffer, reasons: readonly { code: string; path: string }[]): string =>
      `${raw.toString('hex')} ${reasons.map(({ code: reason, path }) => `${reason} ${path}`).join()}`
    const expected = [...lines, ...some].flatMap((one) =>
      one.expected === 'accepted' ? [] : [describe(blankless(one.body), one.expected)],
    )
    const found = (JSON.parse(listed.stdout) as Listed[]).map(({ raw, detail }) =>
      describe(Buffer.from(raw, 'base64'), detail),
    )
    assert.deepEqual(found.sort(), expected.sort())
    assert.ok(some.length >= 8 && expected.length > 150, `${some.length} arguments, ${expected.length} refused`)
  } finally {
    dev.process.kill('SIGKILL')
    await dev.finished
    await rm(folder, { recursive: true })
  }
})

/** Latin-1 keeps every byte. */
function blankless(body: Uint8Array): Buffer {
  return Buffer.from(
    Buffer.from(body)
      .toString('latin1')
      .replaceAll(/^[ \t\r\n]+|[ \t\r\n]+$/g, ''),
    'latin1',
  )
}
