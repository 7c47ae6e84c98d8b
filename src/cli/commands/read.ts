import { isUtf8 } from 'node:buffer'
import { Command } from 'commander'
import type { PlacedRecord, TopicSummary } from '../../app/read-topic.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, limitMax, wholeNumber } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import { visible } from '../visible.ts'

type Options = { folder: string; partition?: string; from?: string; limit: string; json?: boolean } & KafkaCliOptions

export function readCommand(): Command {
  const command = new Command('read')
    .description('Print records of a topic, such as feature-events.<view>; without one, list the topics')
    .argument('[topic]', 'topic of the data folder')
    .option('--partition <number>', 'one partition; default: all')
    .option('--from <offset>', 'from this offset of each partition on, 0 for the beginning; default: the newest')
    .option('--limit <count>', 'so many', '20')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A line is PARTITION@OFFSET, the record's time, its key and its value. --json has
headers as well; values that are no JSON are text there, or base64.
Reads the data folder, also while dev runs: each checkpoint adds to it.`,
    )
    .action(run)
  return addKafkaOptions(command, { creates: false })
}

async function run(topic: string | undefined, options: Options): Promise<void> {
  const countMax = wholeNumber('--limit', options.limit, { min: 1, max: limitMax })
  const [partition, from] = [options.partition, options.from].map((text, index) =>
    text === undefined ? null : wholeNumber(['--partition', '--from'][index]!, text, { min: 0, max: 2 ** 48 }),
  ) as [number | null, number | null]
  const { openLogToRead } = await import('../../app/open-log.ts')
  const { readTopic, summarizeTopics } = await import('../../app/read-topic.ts')
  const log = await openLogToRead(options.folder, await kafkaPlace(options))
  try {
    if (topic === undefined) printTopics(summarizeTopics(log), options.json === true)
    else printRecords(await readTopic(log, { topic, partition, from, countMax }), options.json === true)
  } finally {
    await log.close()
  }
}

function printTopics(topics: readonly TopicSummary[], json: boolean): void {
  if (json) printJson(topics)
  else {
    const rows = topics.map(({ topic, partitions, records }) => [topic, String(partitions), String(records)])
    print(table(['topic', 'partitions', 'records'], rows))
  }
}

function printRecords(records: readonly PlacedRecord[], json: boolean): void {
  if (json) {
    printJson(records.map(forMachines))
    return
  }
  for (const { partition, offset, timestampMs, key, value } of records) {
    const parts = [`${partition}@${offset}`, new Date(timestampMs).toISOString(), textOf(key), textOf(value)]
    print(visible(parts.join('  ')).replaceAll('\n', '\\n'))
  }
  if (records.length === 0) print('no records')
}

function textOf(bytes: Uint8Array | null): string {
  if (bytes === null) return '-'
  return isUtf8(bytes) ? Buffer.from(bytes).toString() : `(${bytes.length} bytes, not UTF-8)`
}

function forMachines({ partition, offset, timestampMs, key, value, headers }: PlacedRecord): unknown {
  return {
    partition,
    offset,
    timestamp: new Date(timestampMs).toISOString(),
    key: contentOf(key),
    value: contentOf(value),
    headers: headers.map(([name, content]) => ({ name, value: contentOf(content, false) })),
  }
}

/** JSON as what it says, other text as it is, and anything else as `{ base64 }`. */
function contentOf(bytes: Uint8Array | null, parsed = true): unknown {
  if (bytes === null) return null
  if (!isUtf8(bytes)) return { base64: Buffer.from(bytes).toString('base64') }
  const text = Buffer.from(bytes).toString()
  if (!parsed) return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
