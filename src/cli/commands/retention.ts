import { Command } from 'commander'
import { formatDuration } from '../../base/duration.ts'
import { folderOption, jsonOption } from '../options.ts'
import { counted, print, printJson, table } from '../output.ts'

type Options = { folder: string; apply?: boolean; json?: boolean }

export function retentionCommand(): Command {
  return new Command('retention')
    .description('Show how long topics keep their records, and how long streams declare; change it')
    .argument('<definitions>', 'module that exports the definitions')
    .option('--apply', 'give the topics what is declared; the next start removes what is older')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A stream declares its retention: retention: '90d'. A topic that exists keeps
the one that it was created with, and a start with another one is refused:
look here what would go, then --apply while nothing runs in the folder.`,
    )
    .action(run)
}

async function run(file: string, options: Options): Promise<void> {
  const { applyRetentions, retentionsOf } = await import('../../app/topic-retention.ts')
  const { loadPlan } = await import('../../app/load-plan.ts')
  const { plan } = await loadPlan(file)
  const found = options.apply === true ? await applyRetentions(plan, options) : await retentionsOf(plan, options)
  if (options.json === true) {
    printJson(found)
    return
  }
  const rows = found.map(({ topic, keptMs, declaredMs, expired }) => [
    topic,
    keptMs === null ? 'ever' : formatDuration(keptMs),
    declaredMs === null ? '' : formatDuration(declaredMs),
    declaredMs === null ? '' : String(expired),
  ])
  if (rows.length > 0) {
    const kept = options.apply === true ? 'was kept for' : 'kept for'
    print(table(['topic', kept, 'declared', 'older records'], rows))
  }
  if (options.apply === true) print(`${counted(found.length, 'topic')} changed`)
}
