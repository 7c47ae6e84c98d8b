import { Command } from 'commander'
import type { LogPlace } from '../../app/open-log.ts'
import type { RegistryState } from '../../app/versions.ts'
import { MillraceError } from '../../base/faults.ts'
import { request } from '../http.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, urlOption, wholeNumber } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import { accepted, fetchState, registryPlace } from '../registry-place.ts'

type Options = { folder: string; url: string; json?: boolean } & KafkaCliOptions
type Summary = RegistryState['versions'][number]

export function versionsCommand(): Command {
  const command = new Command('versions')
    .description('List the versions of the definitions that were applied, or show one')
    .argument('[number]', 'show what the definitions of this version compile to')
    .addOption(folderOption())
    .addOption(urlOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Reads the folder, also while a millrace runs there; which version is served,
only a running one can tell: --url. With --json, a version comes with its
definitions.`,
    )
    .action(run)
  return addKafkaOptions(command, { creates: false })
}

async function run(text: string | undefined, options: Options, command: Command): Promise<void> {
  const place = registryPlace(command)
  const log = await kafkaPlace(options)
  if (text === undefined) {
    const state = 'url' in place ? await fetchState(place.url) : await stateOfFolder(place.folder, log)
    if (state === null) return
    if (options.json === true) printJson(state)
    else printVersions(state)
    return
  }
  const number = wholeNumber('the version', text, { min: 1, max: Number.MAX_SAFE_INTEGER })
  const version =
    'url' in place
      ? accepted<Summary & { definitions: unknown }>(await request(place.url, `/v1/registry/${number}`, null))
      : (await openRegistry(place.folder, log)).version(number)
  if (version === null) return
  if (options.json === true) {
    printJson(version)
    return
  }
  const { definitionsFromJson } = await import('../../registry/definitions-json.ts')
  const { compilePlan } = await import('../../app/load-plan.ts')
  const { explainPlan } = await import('../../plan/explain.ts')
  print(explainPlan(compilePlan(definitionsFromJson(version.definitions))))
}

type Listed = { readonly versions: readonly Summary[]; readonly serving?: { readonly number: number | null } }

async function stateOfFolder(folder: string, log: LogPlace | undefined): Promise<Listed> {
  const { versions } = await openRegistry(folder, log)
  return {
    versions: versions.map(({ number, previous, kind, plan, at, note }) => ({
      number,
      previous,
      kind,
      plan,
      at,
      note,
    })),
  }
}

async function openRegistry(folder: string, log: LogPlace | undefined) {
  const { readVersions } = await import('../../app/apply-in-folder.ts')
  const registry = await readVersions(folder, log)
  if (registry === null) throw new MillraceError('FOLDER_WITHOUT_LOG', { folder })
  return registry
}

function printVersions({ versions, serving }: Listed): void {
  if (versions.length === 0) {
    print('none was applied')
    return
  }
  const applied = versions.at(-1)!.number
  const mark = (number: number): string =>
    [...(number === applied ? ['applied'] : []), ...(number === serving?.number ? ['served'] : [])].join(', ')
  const rows = versions.map(({ number, kind, at, plan, note }) => [
    String(number),
    at,
    kind,
    plan.slice(0, 12),
    mark(number),
    note ?? '',
  ])
  print(table(['version', 'applied at', 'by', 'plan', 'now', 'note'], rows))
}
