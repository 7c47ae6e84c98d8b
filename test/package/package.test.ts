import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import ts from 'typescript'

// Goal: what is published works for whoever installs it, with nothing of this repository around it.
// Method: build and pack the package, install the tarball in an empty folder from the npm registry as configured, and
// use it there: the README's example, its types, its command line.

const root = join(import.meta.dirname, '../..')
const quickstart = join(root, 'examples/quickstart')
const exportsFile = join(import.meta.dirname, 'exports.txt')

/** The repository's own Node; of what the npm that runs these tests has set, only how to reach the registry. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_/i.test(name) || /^npm_config_(registry|cache|userconfig|.*proxy|cafile)$/i.test(name),
    ),
  ),
  NO_COLOR: '1',
  PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`,
}

let folder = ''
let app = ''
let packed: readonly string[] = []

before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-package-')))
  app = join(folder, 'app')
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }')
  run('npm', ['run', 'build'], root)
  const [tarball] = JSON.parse(
    run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root),
  ) as { filename: string; files: { path: string }[] }[]
  packed = tarball!.files.map(({ path }) => path)
  run('npm', ['install', '--no-audit', '--no-fund', join(folder, tarball!.filename)], app)
  for (const file of ['quickstart.ts', 'definitions.ts']) cpSync(join(quickstart, file), join(app, file))
})

after(() => rmSync(folder, { recursive: true, force: true }))

test('the tarball holds what it should and nothing else', () => {
  const others = packed.filter((path) => !path.startsWith('dist/')).sort()
  assert.deepEqual(others, ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
  assert.deepEqual(
    packed.filter((path) => path.startsWith('dist/') && !/\.(js|d\.ts)$/.test(path)),
    [],
  )
  for (const path of ['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js']) assert.ok(packed.includes(path), path)
})

test('the entry points resolve to what is packed, and nothing else can be imported', () => {
  const program = `
    console.log(import.meta.resolve('millrace'), import.meta.resolve('millrace/package.json'))
    await import('millrace/dist/index.js').catch((error) => console.log(error.code))`
  const home = `file://${app}/node_modules/millrace`
  assert.deepEqual(node(['--input-type=module', '--eval', program]).trim().split(/\s+/), [
    `${home}/dist/index.js`,
    `${home}/package.json`,
    'ERR_PACKAGE_PATH_NOT_EXPORTED',
  ])
})

test('the exported names are the committed ones: `UPDATE=1` writes them anew', () => {
  const values = node(['--eval', 'import("millrace").then((all) => console.log(Object.keys(all).join()))'])
  const names = exportedNames(join(app, 'node_modules/millrace/dist/index.d.ts'))
  assert.deepEqual(
    names.filter(({ kind }) => kind === 'value').map(({ name }) => name),
    values.trim().split(',').sort(),
    'types and JavaScript export the same values',
  )
  const text = names.map(({ kind, name }) => `${kind} ${name}\n`).join('')
  if (process.env['UPDATE'] === '1') writeFileSync(exportsFile, text)
  assert.equal(text, readFileSync(exportsFile, 'utf8'))
})

test("the README's example prints what the README shows, as TypeScript and as JavaScript", () => {
  const expected = readFileSync(join(quickstart, 'output.txt'), 'utf8')
  assert.equal(node(['quickstart.ts']), expected)
  for (const name of ['definitions', 'quickstart']) {
    const { outputText } = ts.transpileModule(readFileSync(join(app, `${name}.ts`), 'utf8'), {
      compilerOptions: { target: ts.ScriptTarget.ES2024, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
    })
    writeFileSync(join(app, `${name}.js`), outputText.replace('./definitions.ts', './definitions.js'))
  }
  assert.equal(node(['quickstart.js']), expected)
})

test('the oldest supported line of Node runs it too', () => {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } }
  assert.equal(engines.node, '>=22.22.0')
  const output = run('npx', ['--yes', '--package', 'node@22', 'node', 'quickstart.ts'], app)
  assert.equal(output, readFileSync(join(quickstart, 'output.txt'), 'utf8'))
})

test('its types check without skipLibCheck, and refuse what is wrong', () => {
  const wrong = readFileSync(join(app, 'quickstart.ts'), 'utf8').replace('{ customerId: 7,', "{ customerId: 'seven',")
  writeFileSync(join(app, 'wrong.ts'), wrong)
  const options = '--noEmit --strict --exactOptionalPropertyTypes --target es2024 --module nodenext --types node'
  const types = ['--allowImportingTsExtensions', '--typeRoots', join(root, 'node_modules/@types')]
  const args = [...options.split(' '), ...types, 'quickstart.ts', 'wrong.ts']
  const { stdout } = spawnSync('tsc', args, { cwd: app, encoding: 'utf8', env: environment })
  const errors = stdout.split('\n').filter((line) => /^\S/.test(line))
  assert.equal(errors.length, 3, stdout)
  for (const error of errors) assert.match(error, /^wrong\.ts\(\d+,\d+\): error TS2345: .*customerId: string/)
})

test('its command line runs from where it is installed', () => {
  const help = readFileSync(join(root, 'test/cli/help/millrace.txt'), 'utf8')
  assert.equal(run('npx', ['millrace', '--help'], app), help)
  assert.match(run('npx', ['millrace', 'plan', 'definitions.ts'], app), /^plan [0-9a-f]{12}\n\nstream payments\n/)
})

function run(program: string, args: readonly string[], cwd: string): string {
  return execFileSync(program, args, { cwd, encoding: 'utf8', env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
}

function node(args: readonly string[]): string {
  return run(process.execPath, args, app)
}

/** The names of a module's types and values, by name. */
function exportedNames(file: string): { kind: 'type' | 'value'; name: string }[] {
  const program = ts.createProgram([file], { module: ts.ModuleKind.NodeNext, noLib: true })
  const checker = program.getTypeChecker()
  const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!
  return checker
    .getExportsOfModule(module)
    .map(({ name, declarations = [] }) => {
      const isType = declarations.some((declaration) => ts.isTypeOnlyImportOrExportDeclaration(declaration))
      return { kind: isType ? ('type' as const) : ('value' as const), name }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
