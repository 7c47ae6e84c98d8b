import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { blocksOf } from './markdown.ts'

// Goal: what docs/MODELS.md shows is what a reader gets.
// Method: the `$` lines of its transcript are run in order in an empty folder, and print what follows each, but for
// instants. `UPDATE=1` writes it anew. The file that it shows is that file.

const root = join(import.meta.dirname, '../..')
const document = join(root, 'docs/MODELS.md')
const blocks = blocksOf(readFileSync(document, 'utf8'))
const of = (kind: string) => blocks.filter(({ marker }) => marker?.kind === kind)

test('the definitions of docs/MODELS.md are that file', () => {
  const [block] = of('file')
  assert.equal(block!.text, readFileSync(join(root, block!.marker!.source), 'utf8'))
})

test('the transcript of docs/MODELS.md is what its commands print', () => {
  const [block] = of('transcript')
  const folder = mkdtempSync(join(tmpdir(), 'millrace-models-'))
  symlinkSync(join(root, 'examples'), join(folder, 'examples'))
  const script = `
    millrace() { '${process.execPath}' --conditions=millrace-source '${join(root, 'src/cli/main.ts')}' "$@"; }
    exec 2>&1
    `
  const env = { ...process.env, NO_COLOR: '1', MILLRACE_URL: undefined, MILLRACE_FOLDER: join(folder, 'data') }
  try {
    const commands = block!.text.split('\n').filter((line) => line.startsWith('$ '))
    const parts = commands.map((command) => {
      const { stdout } = spawnSync('sh', ['-c', script + command.slice(2)], { cwd: folder, encoding: 'utf8', env })
      return `${command}\n${stdout}`
    })
    const found = parts.join('\n')
    if (process.env['UPDATE'] === '1') {
      const text = readFileSync(document, 'utf8')
      writeFileSync(
        document,
        text.replace(block!.text, () => found),
      )
    } else assert.equal(anyInstant(found), anyInstant(block!.text))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function anyInstant(text: string): string {
  return text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'INSTANT')
}
