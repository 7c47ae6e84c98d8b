import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startDev } from '../cli/run-cli.ts'
import { type Block, blocksOf } from './markdown.ts'

// Goal: whatever README.md shows is what a reader gets.
// Method: the comment before a block says where it comes from.
//   file: PATH         the block is that file. A .ts file is type-checked by `npm run check`; a quickstart.ts is run.
//   transcript: WHAT   its `$` lines are run, in order, beside a `millrace dev` of that folder's definitions.ts in an
//                      empty data folder; what follows each line is what it prints. `UPDATE=1` writes it anew.
//   output: COMMAND    what that npm script printed once; it differs from run to run. .ci/run must run the script.
//   figures: COMMAND   the same.
// A block without a comment holds nothing but commands to type.

const root = join(import.meta.dirname, '../..')
const readmeFile = join(root, 'README.md')
const readme = readFileSync(readmeFile, 'utf8')
const blocks = blocksOf(readme)
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
const of = (kind: string): readonly Block[] => blocks.filter(({ marker }) => marker?.kind === kind)

test('every block says where it comes from, or holds only commands to type', () => {
  assert.ok(blocks.length > 0)
  for (const { marker, text, line } of blocks) {
    if (marker !== null) {
      assert.match(marker.kind, /^(file|transcript|output|figures)$/, `line ${line}`)
      continue
    }
    for (const command of text.trim().split('\n')) {
      assert.match(command, /^(npm|npx|node|export|\.ci\/run)\b/, `line ${line}: "${command}" is no command`)
      for (const name of scriptsIn(command)) assert.ok(name in scripts, `line ${line}: no script "${name}"`)
    }
  }
})

test('there is no TypeScript but that of files, which are checked and run', () => {
  for (const { language, marker, line } of blocks) {
    if (language === 'ts') assert.equal(marker?.kind, 'file', `line ${line}`)
  }
})

for (const { marker, text } of of('file')) {
  test(`the block of ${marker!.source} is that file`, () => {
    assert.equal(text, readFileSync(join(root, marker!.source), 'utf8'))
  })
}

test('the library example prints the output beside it', () => {
  const sources = of('file').map(({ marker }) => marker!.source)
  const example = sources.find((source) => source.endsWith('/quickstart.ts'))
  assert.ok(example !== undefined, 'README.md shows the library example')
  const output = example.replace(/quickstart\.ts$/, 'output.txt')
  assert.ok(sources.includes(output), 'and its output')
  const { stdout, stderr } = spawnSync(process.execPath, ['--conditions=millrace-source', example], {
    cwd: root,
    encoding: 'utf8',
  })
  assert.equal(stdout + stderr, readFileSync(join(root, output), 'utf8'))
})

for (const block of of('transcript')) {
  test(`the transcript of ${block.marker!.source} is what its commands print`, async () => {
    const found = await replay(block)
    if (process.env['UPDATE'] === '1') {
      const fence = `\`\`\`${block.language}\n`
      const document = readFileSync(readmeFile, 'utf8')
      writeFileSync(
        readmeFile,
        document.replace(`${fence}${block.text}`, () => `${fence}${found}`),
      )
    } else assert.equal(anyPlan(found), anyPlan(block.text))
  })
}

test('what differs from run to run is run before anything lands', () => {
  const ci = readFileSync(join(root, '.ci/run'), 'utf8')
  for (const { marker, line } of [...of('output'), ...of('figures')]) {
    const names = scriptsIn(marker!.source)
    assert.ok(names.length > 0, `line ${line} names no npm script`)
    for (const name of names) assert.ok(ci.includes(`npm run ${name} `), `line ${line}: .ci/run does not run ${name}`)
  }
})

/** Runs the commands of a transcript and writes down what they print, as the transcript does. */
async function replay({ marker, text }: Block): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-readme-'))
  // Commands name files of the repository, and leave their own behind: here.
  symlinkSync(join(root, 'examples'), join(folder, 'examples'))
  const data = join(folder, '.millrace')
  const dev = await startDev([join(root, marker!.source, 'definitions.ts'), '--folder', data])
  try {
    const parts: string[] = []
    for (const command of text.split('\n').filter((line) => line.startsWith('$ '))) {
      await caughtUp(dev.address)
      parts.push(`${command}\n${runInShell(command.slice(2), { folder, address: dev.address })}`)
    }
    return parts.join('\n')
  } finally {
    dev.process.kill('SIGTERM')
    await dev.finished
    rmSync(folder, { recursive: true })
  }
}

/** `npm run -s millrace --` is what it stands for: npm itself would change to the repository's folder. CSV has CRLF, README.md has not. */
function runInShell(command: string, { folder, address }: { folder: string; address: string }): string {
  const main = join(root, 'src/cli/main.ts')
  const script = `
    millrace() { '${process.execPath}' --conditions=millrace-source '${main}' "$@"; }
    exec 2>&1
    ${command.replace(/^npm run -s millrace -- /, 'millrace ')}`
  const env = { ...process.env, NO_COLOR: '1', MILLRACE_URL: address, MILLRACE_FOLDER: join(folder, '.millrace') }
  return spawnSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8', env }).stdout.replaceAll('\r\n', '\n')
}

/** What was sent is visible to reads a moment after it is durable: no reader is as fast as this test. */
async function caughtUp(address: string): Promise<void> {
  for (;;) {
    const metrics = await (await fetch(`${address}/metrics`)).text()
    if (!/^kafka_consumer_lag\{.*\} [^0]/m.test(metrics)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A plan's hash covers the time-zone data of the machine's Node, where a definition uses a zone. */
function anyPlan(text: string): string {
  return text.replaceAll(/\bplan [0-9a-f]{12}\b/g, 'plan …')
}

function scriptsIn(command: string): string[] {
  return [...command.matchAll(/\bnpm run (?:-s )?([\w:]+)/g)].map(([, name]) => name!)
}
