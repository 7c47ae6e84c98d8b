import { Command } from 'commander'
import pc from 'picocolors'
import type { Loading } from '../../app/load-in-child.ts'
import type { Mill } from '../../app/mill.ts'
import type { Applied } from '../../app/versions.ts'
import { differenceLines } from '../../registry/difference.ts'
import { print, printFault } from '../output.ts'
import { printStopped } from './apply.ts'
import { addRunOptions, importServer, runMill, type RunOptions } from '../run-mill.ts'

export function devCommand(): Command {
  return addRunOptions(
    new Command('dev')
      .description('Run everything in one process: log, engine, online store, HTTP; follow the definitions')
      .argument('<definitions>', 'TypeScript or JavaScript module that exports the definitions'),
  )
    .addHelpText(
      'after',
      `
The definitions are applied at start, and again whenever the module, or what it
imports from its folder, is saved: also changes that break data or readers,
which are named. What was served before is served until new views are built, and
as long as the definitions have faults. Models are loaded at start, and not
again.

Ctrl-C (or SIGTERM) finishes what is under way, writes a checkpoint and exits
with 0. One process at a time runs in a data folder; train, explain and dlq may
read it meanwhile.`,
    )
    .action(run)
}

async function run(file: string, options: RunOptions): Promise<void> {
  const { loadInChild } = await import('../../app/load-in-child.ts')
  const loading = loadInChild(file)
  // While the child loads the module, this process loads what it needs itself.
  const imports = Promise.all([
    import('../../app/load-plan.ts'),
    import('../../app/mill.ts'),
    import('../../app/watch-definitions.ts'),
    importServer(),
  ])
  const [first, [{ loadExperiments, loadModels }, { millrace }, { watchDefinitions }]] = await Promise.all([
    loading,
    imports,
  ])
  if (first.result instanceof Error) throw first.result
  const { definitions } = first.result
  const [models, experiments] = [await loadModels(file), await loadExperiments(file)]
  await runMill(
    options,
    (opening) => millrace({ ...opening, definitions, models, experiments, allowIncompatible: true }),
    (mill) => {
      if (mill.opened !== null) printChange(mill.opened)
      const watcher = watchDefinitions(file, first, (result) => reapply(mill, result))
      return () => watcher.close()
    },
  )
}

/** A saved module: its definitions are applied, or its faults are told. */
async function reapply(mill: Mill, result: Loading['result']): Promise<void> {
  try {
    if (result instanceof Error) throw result
    printChange(await mill.versions.apply(result.definitions, { allowIncompatible: true }))
  } catch (error) {
    printFault(error)
    print(pc.dim(`version ${mill.versions.applied.number} stays applied`))
  }
}

function printChange({ version, changed, difference, stopped }: Applied): void {
  // Where nothing was applied before everything is new, and nobody needs to be told.
  if (!changed || version.number === 1) return
  print(`version ${version.number}`)
  for (const line of differenceLines(difference)) print(`  ${line}`)
  printStopped(stopped)
}
