import { Command } from 'commander'
import type { ActionStatus, NotedAction } from '../../app/actions/actions-in-folder.ts'
import { request } from '../http.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, urlOption } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import { accepted, applyAt, registryPlace } from '../registry-place.ts'
import { visible } from '../visible.ts'

type Options = { folder: string; url: string; json?: boolean } & KafkaCliOptions

/** Of a running millrace with what became of predictions; of a folder without. */
type Listed = NotedAction & Partial<Pick<ActionStatus, 'counts' | 'waiting' | 'oldestSeconds' | 'fault'>>

export function actionCommand(): Command {
  return new Command('action')
    .description('List, stop and resume what is done about predictions')
    .helpCommand('help [command]', 'Print the help of a command')
    .addCommand(listCommand())
    .addCommand(stopCommand())
    .addCommand(resumeCommand())
}

const placeHelp = `
With --url a running millrace does it; otherwise it is done in the folder, or,
when a process runs there, by the one at the default address. With --kafka all
processes that have the log follow.`

function listCommand(): Command {
  const command = new Command('list')
    .description('List the actions that are applied, and which are stopped')
    .addHelpText(
      'after',
      `
Reads the folder, also while a millrace runs there; what became of predictions
only a running one can tell: --url.`,
    )
    .action(list)
  return addPlace(command)
}

function stopCommand(): Command {
  const command = new Command('stop')
    .description('Stop an action, in every process and over restarts, until it is resumed')
    .argument('<action>', 'name of the action')
    .option('--note <text>', 'why, for whoever finds it stopped')
    .addHelpText(
      'after',
      `
Requests that are under way end, and no other begins. Predictions wait in the
log.
${placeHelp}`,
    )
    .action(async (name: string, options: Options & { note?: string }, command: Command) => {
      await change(name, { change: 'stopped', note: options.note ?? null, skip: false }, { options, command })
    })
  return addPlace(command)
}

function resumeCommand(): Command {
  const command = new Command('resume')
    .description('Let a stopped action go on')
    .argument('<action>', 'name of the action')
    .option('--skip', 'pass over what was predicted until now; otherwise it is acted on')
    .option('--note <text>', 'why, for whoever reads the changes later')
    .addHelpText('after', placeHelp)
    .action(async (name: string, options: Options & { note?: string; skip?: true }, command: Command) => {
      const skip = options.skip === true
      await change(name, { change: 'resumed', note: options.note ?? null, skip }, { options, command })
    })
  return addPlace(command)
}

function addPlace(command: Command): Command {
  command.addOption(folderOption()).addOption(urlOption()).addOption(jsonOption())
  return addKafkaOptions(command, { creates: false })
}

async function list(options: Options, command: Command): Promise<void> {
  const place = registryPlace(command)
  let actions: readonly Listed[] | null
  if ('url' in place) {
    actions = accepted<{ actions: ActionStatus[] }>(await request(place.url, '/v1/actions', null))?.actions ?? null
  } else {
    const { readActions } = await import('../../app/actions/actions-in-folder.ts')
    actions = await readActions({ folder: place.folder, log: await kafkaPlace(options) })
  }
  if (actions === null) return
  if (options.json === true) printJson(actions)
  else if (actions.length === 0) print('none is applied')
  else printActions(actions)
}

type Change = { readonly change: 'stopped' | 'resumed'; readonly note: string | null; readonly skip: boolean }

async function change(
  name: string,
  what: Change,
  { options, command }: { readonly options: Options; readonly command: Command },
): Promise<void> {
  const report = (action: Listed | null): void => {
    if (action === null) return
    if (options.json === true) printJson(action)
    else printActions([action])
  }
  await applyAt(command, {
    remotely: async (url) => {
      const { note, skip } = what
      const path = `/v1/actions/${encodeURIComponent(name)}/${what.change === 'stopped' ? 'stop' : 'resume'}`
      const content = JSON.stringify({ ...(note === null ? {} : { note }), ...(skip ? { skip } : {}) })
      report(accepted<ActionStatus>(await request(url, path, { type: 'application/json', content })))
    },
    inFolder: async (folder) => {
      const { changeActionIn } = await import('../../app/actions/actions-in-folder.ts')
      report(await changeActionIn({ folder, log: await kafkaPlace(options) }, name, what))
    },
  })
}

function printActions(actions: readonly Listed[]): void {
  const isRunning = actions.some(({ counts }) => counts !== undefined)
  const rows = actions.map(({ name, model, when, to, stopped, counts, waiting }) => [
    name,
    `${model} where ${when}`,
    to,
    stopped === null ? 'acts' : `stopped ${stopped.at}${stopped.note === null ? '' : `: ${stopped.note}`}`,
    ...(counts === undefined ? [] : [counts.met, counts.delivered, counts.retried, counts.dead, waiting].map(String)),
  ])
  const counted = isRunning ? ['met', 'delivered', 'retried', 'dead', 'waiting'] : []
  print(visible(table(['action', 'on', 'to', 'now', ...counted], rows)))
  for (const { name, fault } of actions) if (fault) print(visible(`${name}: ${fault}`))
}
