// Goal: the list of crash points is the list of places in the sources, and no hook can be left in what is published.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { crashPoints } from '../../src/base/crash-points.ts'

const root = join(import.meta.dirname, '../..')
const sources = globSync('src/**/*.ts', { cwd: root }).map((file) => ({
  file,
  text: readFileSync(join(root, file), 'utf8'),
}))

test('each crash point is reached from exactly one line of the sources, and each such line names one', () => {
  const reached = sources
    .filter(({ file }) => file !== 'src/base/crash-points.ts')
    .flatMap(({ text }) => [...text.matchAll(/\breach\(([^)]*)\)/g)].map(([, name]) => name!))
  assert.deepEqual(reached.sort(), crashPoints.map((name) => `'${name}'`).sort())
})

test('nothing in the sources hooks the crash points', () => {
  const hooking = sources.filter(({ text }) => text.includes('onCrashPoint')).map(({ file }) => file)
  assert.deepEqual(hooking, ['src/base/crash-points.ts'])
})

test('in JavaScript, as it is published, a hook is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-built-'))
  try {
    for (const name of ['assert', 'crash-points']) {
      const text = readFileSync(join(root, `src/base/${name}.ts`), 'utf8')
      writeFileSync(join(folder, `${name}.mjs`), stripTypeScriptTypes(text).replaceAll(".ts'\n", ".mjs'\n"))
    }
    const script =
      "import { onCrashPoint, reach } from './crash-points.mjs'; reach('store.opened'); onCrashPoint(() => {})"
    writeFileSync(join(folder, 'run.mjs'), script)
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'run.mjs')], { encoding: 'utf8' })
    assert.notEqual(status, 0)
    assert.match(stderr, /crash points are hooked in the unbuilt sources only/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
