import { Command } from 'commander'
import type { Loaded } from '../../app/load-plan.ts'
import type { LogPlace } from '../../app/open-log.ts'
import { systemClock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Plan } from '../../plan/plan.ts'
import { differenceBetween, differenceLines } from '../../registry/difference.ts'
import { request } from '../http.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, urlOption, wholeNumber } from '../options.ts'
import { print, printJson } from '../output.ts'
import { accepted, fetchState, registryPlace } from '../registry-place.ts'

type Options = {
  folder: string
  url: string
  definitions?: boolean
  json?: boolean
  partitions: string
} & KafkaCliOptions

export function planCommand(): Command {
  const command = new Command('plan')
    .description('Check definitions, show what they compile to and what applying them would change')
    .argument('<definitions>', 'TypeScript or JavaScript module that exports the definitions')
    .addOption(folderOption())
    .addOption(urlOption())
    .option('--partitions <count>', 'of topics that do not exist yet, in Kafka', '4')
    .option('--definitions', 'print the definitions as data, as `POST /v1/registry` takes them')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Topics, verdict rules, windows and bounds; then, when versions were applied in
the folder or by the process at --url, the difference to the applied one: what
is new, changed, renamed or removed, what is rebuilt from history, and what
would break data or readers (incompatible). Nothing is changed.

Faults in the definitions are printed, all at once, and the exit code is 1.`,
    )
    .action(run)
  return addKafkaOptions(command, { creates: true })
}

async function run(file: string, options: Options, command: Command): Promise<void> {
  const { loadPlan } = await import('../../app/load-plan.ts')
  const { explainPlan, planSummary } = await import('../../plan/explain.ts')
  const loaded = await loadPlan(file)
  if (options.definitions === true) {
    const { definitionsToJson } = await import('../../registry/definitions-json.ts')
    printJson(definitionsToJson(loaded.definitions))
    return
  }
  const log = await kafkaPlace(options)
  const applied = await readApplied(command, log)
  const difference = applied === null ? null : differenceBetween(applied.compiled, loaded)
  const topics = log === undefined ? [] : await readTopics(loaded.plan, log, options)
  if (options.json === true) {
    const to = difference === null ? {} : { difference: { version: applied!.number, ...difference } }
    printJson({ ...(planSummary(loaded.plan) as object), ...to, ...(log === undefined ? {} : { topics }) })
    return
  }
  print(explainPlan(loaded.plan))
  if (log !== undefined) printTopics(topics)
  if (difference === null) return
  print(`\ndifference to version ${applied!.number}`)
  for (const line of differenceLines(difference)) print(`  ${line}`)
}

type PlannedTopic = {
  readonly topic: string
  readonly action: 'create' | 'keep'
  readonly as: string
  readonly differences: readonly string[]
}

/** What `apply` would create in Kafka, and how what is there differs from what it would create. */
async function readTopics(
  plan: Plan,
  place: LogPlace,
  { partitions }: Pick<Options, 'partitions'>,
): Promise<readonly PlannedTopic[]> {
  const { clusterTopics, describeKafka, topicText } = await import('../../app/cluster-topics.ts')
  const cluster = await describeKafka(place, systemClock)
  const count = wholeNumber('--partitions', partitions, { min: 1, max: 1_000 })
  const topics = clusterTopics(plan, cluster, { namespace: place.namespace, partitions: count })
  return topics.map(({ name, planned, found, differences }) => ({
    topic: name,
    action: found === null ? 'create' : 'keep',
    as: topicText(found ?? planned),
    differences,
  }))
}

function printTopics(topics: readonly PlannedTopic[]): void {
  print('\ntopics in Kafka')
  for (const { topic, action, as, differences } of topics) {
    print(`  ${action.padEnd(6)}  ${topic}: ${as}`)
    for (const line of differences) print(`          ${line}`)
  }
}

/** What is applied in the folder, or by the process at the address. Null: nothing, or there is no such folder yet. */
async function readApplied(
  command: Command,
  log: LogPlace | undefined,
): Promise<{ number: number; compiled: Loaded } | null> {
  const place = registryPlace(command)
  if ('url' in place) return await fetchApplied(place.url)
  const { readVersions } = await import('../../app/apply-in-folder.ts')
  const registry = await readVersions(place.folder, log)
  if (registry === null && command.getOptionValueSource('folder') === 'cli') {
    throw new MillraceError('FOLDER_WITHOUT_LOG', { folder: place.folder })
  }
  if (registry === null || registry.applied === null) return null
  return { number: registry.number, compiled: registry.compiled(registry.number) }
}

async function fetchApplied(url: string): Promise<{ number: number; compiled: Loaded } | null> {
  const state = await fetchState(url)
  if (state === null) return null
  const { number } = state.applied
  const version = accepted<{ definitions: unknown }>(await request(url, `/v1/registry/${number}`, null))
  if (version === null) return null
  const { definitionsFromJson } = await import('../../registry/definitions-json.ts')
  const { compilePlan } = await import('../../app/load-plan.ts')
  const definitions = definitionsFromJson(version.definitions)
  return { number, compiled: { definitions, plan: compilePlan(definitions) } }
}
