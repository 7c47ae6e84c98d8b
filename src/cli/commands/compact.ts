import { Command } from 'commander'
import type { Compacted } from '../../app/compact/compact.ts'
import { folderOption, jsonOption } from '../options.ts'
import { counted, endProgressLine, makeProgressLine, print, printJson, table } from '../output.ts'
import { visible } from '../visible.ts'

type Options = { folder: string; acceptWarming?: boolean; json?: boolean }

export function compactCommand(): Command {
  return new Command('compact')
    .description('Take what was forgotten out of a data folder, log and state')
    .argument('[definitions]', 'module that exports the definitions, where the folder does not hold them')
    .addOption(folderOption())
    .option('--accept-warming', 'also where the log has lost events that the state still knows of')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Run it while no \`millrace dev\` runs in the folder. In every record of an entity
that \`millrace forget\` named, pseudonyms take the place of its keys, and what no
stream declares goes: also in dead letters, late events and feature-events.
The state is deleted; the next start rebuilds it from the log, with the same
values and counters for everything else, but for what reads the hidden keys: a
last customer is a pseudonym then, and an entity that came back since it was
forgotten counts as another one. Interrupted, run it again.

What remains: id, time and declared fields of each event, which other entities'
features are made of; keys that are booleans or instants. A pseudonym comes of
a hash of the keys: whoever guesses a key can tell whether it was forgotten.
Refused events that are no JSON object cannot be searched; they are counted.
Backups, training sets and other files of yours are not looked at.`,
    )
    .action(run)
}

async function run(file: string | undefined, { folder, acceptWarming, json }: Options): Promise<void> {
  const { compact } = await import('../../app/compact/compact.ts')
  const { loadPlan } = await import('../../app/load-plan.ts')
  try {
    const compacted = await compact({
      folder,
      ...(file === undefined ? {} : { plan: (await loadPlan(file)).plan }),
      acceptWarming: acceptWarming === true,
      onProgress: makeProgressLine(),
    })
    endProgressLine()
    if (json === true) printJson(compacted)
    else report(compacted)
  } catch (error) {
    endProgressLine()
    throw error
  }
}

function report({ forgotten, topics, changed, notes }: Compacted): void {
  if (forgotten === 0) {
    print('nothing was ever forgotten in this folder')
    return
  }
  const rows = topics
    .filter(({ searched }) => searched > 0)
    .map(({ topic, searched, replaced, unsearchable }) => [topic, ...[searched, replaced, unsearchable].map(String)])
  if (rows.length > 0) print(table(['topic', 'searched', 'replaced', 'not searchable'], rows))
  for (const note of notes) print(visible(note))
  const replaced = topics.reduce((sum, topic) => sum + topic.replaced, 0)
  if (changed) print(`${counted(replaced, 'record')} replaced; the next start rebuilds the state from the log`)
  else print('nothing to do: all that can be found of what was forgotten is gone')
}
