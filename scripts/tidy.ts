/**
 * Checks what no compiler checks: import directions, one folder per npm package, no ambient time or randomness, file
 * sizes, leftovers. docs/ARCHITECTURE.md#layers says why. Part of `npm run check`.
 *
 *     node scripts/tidy.ts [ROOT]
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A layer may import itself and the layers listed for it; nothing else in src/. */
const layers: Readonly<Record<string, readonly string[]>> = {
  base: [],
  schema: ['base'],
  kernel: ['base'],
  definition: ['base', 'schema'],
  plan: ['base', 'schema', 'definition', 'kernel'],
  log: ['base', 'schema'],
  store: ['base', 'schema'],
  stream: ['base', 'schema', 'kernel', 'plan', 'log', 'store'],
  dataset: ['base', 'schema', 'kernel', 'plan', 'log', 'store'],
  serve: ['base', 'schema', 'kernel', 'plan', 'store'],
  registry: ['base', 'schema', 'definition', 'kernel', 'plan', 'log'],
  monitor: ['base', 'schema', 'kernel', 'plan'],
  model: ['base', 'schema', 'kernel', 'plan', 'log'],
  app: [
    'base',
    'schema',
    'definition',
    'kernel',
    'plan',
    'log',
    'store',
    'stream',
    'dataset',
    'serve',
    'registry',
    'monitor',
    'model',
  ],
  cli: ['base', 'plan', 'registry', 'monitor', 'app'],
}

/** Of a port's folder, what others may import: the port. Adapters are opened by `app` alone. */
const ports: Readonly<Record<string, readonly string[]>> = {
  log: ['log/log.ts'],
  store: ['store/online/online-store.ts', 'store/offline/table-file.ts'],
}
const mayOpenAdapters = ['app', 'cli']

/** Each npm package is importable from one folder. */
const packages: Readonly<Record<string, string>> = {
  '@platformatic/kafka': 'src/log/kafka/',
  commander: 'src/cli/',
  'csv-parse': 'src/store/offline/csv/',
  fastify: 'src/serve/http/',
  hyparquet: 'src/store/offline/parquet/',
  'hyparquet-compressors': 'src/store/offline/parquet/',
  'hyparquet-writer': 'src/store/offline/parquet/',
  lmdb: 'src/store/online/embedded/',
  'onnxruntime-node': 'src/model/onnx/',
  picocolors: 'src/cli/',
  'prom-client': 'src/monitor/',
}

type Ban = { readonly pattern: RegExp; readonly instead: string; readonly allowed: RegExp }

/** Time and randomness are handed in: the simulator needs it, and so does whoever wants the same run twice. */
const bans: readonly Ban[] = [
  {
    pattern: /\bDate\.now\b|\bnew Date\(\)/,
    instead: 'the Clock that is handed in',
    allowed: /^src\/(base\/clock|app\/|cli\/)/,
  },
  { pattern: /\bperformance\.now\b/, instead: 'clock.elapsed()', allowed: /^src\/(base\/clock|app\/|cli\/)/ },
  { pattern: /\bMath\.random\b/, instead: 'randomness that is handed in', allowed: /^$/ },
  {
    pattern: /\b(setTimeout|setInterval|setImmediate)\(/,
    instead: 'clock.sleep() or clock.turn()',
    allowed: /^src\/(base\/clock|app\/|cli\/)/,
  },
  { pattern: /\bprocess\.env\b/, instead: 'an option, read in app/ or cli/', allowed: /^src\/(app|cli)\// },
  { pattern: /\bconsole\./, instead: 'a logger or an observer that is handed in', allowed: /^src\/cli\// },
  {
    pattern: /\beval\(|new Function\(/,
    instead: 'generate(), or a closure: nothing a user writes is evaluated',
    allowed: /^src\/base\/generate\.ts$/,
  },
  { pattern: /\bFIXME\b/, instead: 'mending it', allowed: /^$/ },
]

const linesMax = 600
const root = process.argv[2] ?? '.'
const findings: string[] = []
const imports = new Map<string, string[]>()

for (const file of globSync('src/**/*.ts', { cwd: root }).sort()) {
  const text = readFileSync(join(root, file), 'utf8')
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) => comment.replaceAll(/[^\n]/g, ' '))
  checkImports(file, code)
  checkBans(file, code)
  if (text.split('\n').length > linesMax) findings.push(`${file}: more than ${linesMax} lines; is it one idea?`)
}
for (const file of globSync('test/**/*.test.ts', { cwd: root })) {
  if (/\b(test|it|describe)\.only\(/.test(readFileSync(join(root, file), 'utf8')))
    findings.push(`${file}: .only left behind`)
}
findCycles()

for (const finding of findings) console.error(finding)
if (findings.length === 0) console.log(`tidy: ${imports.size} files, nothing to mend`)
process.exitCode = findings.length === 0 ? 0 : 1

function checkImports(file: string, code: string): void {
  const layer = file.split('/')[1]!
  const targets: string[] = []
  imports.set(file, targets)
  const statement = /^(?:import|export)\s(?:[^'`]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm
  for (const [, fixed, dynamic] of code.matchAll(statement)) {
    const specifier = fixed ?? dynamic!
    if (specifier.startsWith('.')) {
      const target = join(file, '..', specifier)
      targets.push(target)
      checkDirection(file, layer, target)
    } else if (!specifier.startsWith('node:')) checkPackage(file, specifier)
  }
}

function checkDirection(file: string, layer: string, target: string): void {
  if (!target.startsWith('src/')) {
    findings.push(`${file}: imports ${target}; src/ stands on its own`)
    return
  }
  // src/index.ts is the public face: it may name anything.
  if (layer.endsWith('.ts')) return
  const other = target.split('/')[1]!
  if (other === layer) return
  if (layers[layer]?.includes(other) !== true) {
    findings.push(`${file}: ${layer} must not import ${other} (${target}); see docs/ARCHITECTURE.md#layers`)
    return
  }
  const port = ports[other]
  if (port !== undefined && !mayOpenAdapters.includes(layer) && !port.includes(target.slice('src/'.length))) {
    findings.push(`${file}: ${layer} may import only the port of ${other}, not ${target}`)
  }
}

function checkPackage(file: string, specifier: string): void {
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  const home = packages[name]
  if (home === undefined) findings.push(`${file}: package "${name}" has no folder in scripts/tidy.ts`)
  else if (!file.startsWith(home)) findings.push(`${file}: package "${name}" is imported in ${home} only`)
}

function checkBans(file: string, code: string): void {
  code.split('\n').forEach((line, index) => {
    for (const { pattern, instead, allowed } of bans) {
      const match = pattern.exec(line)
      if (match !== null && !allowed.test(file)) findings.push(`${file}:${index + 1}: ${match[0]}: use ${instead}`)
    }
  })
}

/** Depth first; a file met again while it is still open closes a cycle. */
function findCycles(): void {
  const done = new Set<string>()
  const open: string[] = []
  const visit = (file: string): void => {
    if (done.has(file)) return
    if (open.includes(file)) {
      findings.push(`import cycle: ${[...open.slice(open.indexOf(file)), file].join(' → ')}`)
      return
    }
    open.push(file)
    for (const target of imports.get(file) ?? []) visit(target)
    open.pop()
    done.add(file)
  }
  for (const file of imports.keys()) visit(file)
}
