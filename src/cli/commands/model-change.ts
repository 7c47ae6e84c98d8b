import { Command } from 'commander'
import { addChangeOptions, changePlaceHelp, type ChangeOptions, sendChange } from '../model-place.ts'
import { wholeNumber } from '../options.ts'
import { MillraceError } from '../../base/faults.ts'

export function promoteCommand(): Command {
  const command = new Command('promote')
    .description('Make a version of a model live, a shadow, or a candidate again')
    .argument('<model>', 'name of the model')
    .argument('<version>', 'its number')
    .option('--to <stage>', 'live, shadow or candidate', 'live')
    .addHelpText(
      'after',
      `
A live version answers; at most one is live. It is loaded beside the one that
answers, has to give what its golden samples say, and takes over between two
requests. A shadow is asked along with it and compared; nobody sees its answers.
What cannot be loaded, or does not fit the definitions that are applied, stays
what it was.
${changePlaceHelp}`,
    )
    .action(async (model: string, version: string, options: ChangeOptions & { to: string }, command: Command) => {
      const action = { promote: versionOf(version), to: stageOf(options.to) }
      await sendChange({ model, action }, options, command)
    })
  return addChangeOptions(command)
}

export function rollBackCommand(): Command {
  const command = new Command('rollback')
    .description('Make the version live that was live before')
    .argument('<model>', 'name of the model')
    .addHelpText(
      'after',
      `
That version is still loaded in processes that run, and takes over at once. A
second rollback goes to the one before it.
${changePlaceHelp}`,
    )
    .action(async (model: string, options: ChangeOptions, command: Command) => {
      await sendChange({ model, action: { rollback: true } }, options, command)
    })
  return addChangeOptions(command)
}

export function retireCommand(): Command {
  const command = new Command('retire')
    .description('Never use a version of a model again')
    .argument('<model>', 'name of the model')
    .argument('<version>', 'its number')
    .option('--allow-live', 'also the one that is live: then nothing answers')
    .addHelpText('after', changePlaceHelp)
    .action(
      async (model: string, version: string, options: ChangeOptions & { allowLive?: boolean }, command: Command) => {
        const action = { retire: versionOf(version), allowLive: options.allowLive === true }
        await sendChange({ model, action }, options, command)
      },
    )
  return addChangeOptions(command)
}

function versionOf(text: string): number {
  return wholeNumber('the version', text, { min: 1, max: 2 ** 31 })
}

function stageOf(text: string): 'live' | 'shadow' | 'candidate' {
  if (text === 'live' || text === 'shadow' || text === 'candidate') return text
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: `--to is "${text}"`,
    allowed: 'Give live, shadow or candidate.',
  })
}
