import { Command } from 'commander'
import pc from 'picocolors'
import type { explainFromLog as ExplainFromLog } from '../../app/inspect-folder.ts'
import { systemClock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, limitMax, parseKeys, wholeNumber } from '../options.ts'
import { counted, endProgressLine, makeProgressLine, print, printJson, table, valueText } from '../output.ts'

type Options = { folder: string; asOf?: string; limit: string; json?: boolean } & KafkaCliOptions
type Explanation = Awaited<ReturnType<typeof ExplainFromLog>>

export function explainCommand(): Command {
  const command = new Command('explain')
    .description(
      'Show how one value came about: window bounds, the events inside with their place in the log, the value',
    )
    .argument('<definitions>', 'module that exports the definitions')
    .argument('<view>', 'feature view, or a feature service with that feature')
    .argument('<feature>', 'feature of the view')
    .argument('<keys...>', 'join keys, such as customerId=7')
    .option('--as-of <instant>', 'ISO 8601 with a zone, or epoch milliseconds (default: now)')
    .option('--limit <count>', 'the newest so many events of each aggregation', '20')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  $ millrace explain definitions.ts spending amount_mean_30d customerId=7

Recomputes the value from the log of the data folder, also while \`millrace dev\`
runs, as far back as the log goes. Events at the instant itself do not count.`,
    )
    .action(run)
  return addKafkaOptions(command, { creates: false })
}

async function run(
  file: string,
  view: string,
  feature: string,
  ...[pairs, options]: [string[], Options]
): Promise<void> {
  const { explainFromLog } = await import('../../app/inspect-folder.ts')
  const { openLogToRead } = await import('../../app/open-log.ts')
  const { loadPlan } = await import('../../app/load-plan.ts')
  const { plan } = await loadPlan(file)
  const limit = wholeNumber('--limit', options.limit, { min: 0, max: limitMax })
  const asOf = options.asOf === undefined ? systemClock.now() : await instantOf(options.asOf)
  const log = await openLogToRead(options.folder, await kafkaPlace(options))
  try {
    const progress = makeProgressLine()
    const explanation = await explainFromLog({
      plan,
      log,
      view,
      feature,
      keys: parseKeys(pairs),
      asOf,
      onRead: (done) => progress({ phase: 'reading the log', done, total: null }),
    })
    endProgressLine()
    if (options.json === true) printJson(explanation)
    else printExplanation(explanation, limit)
  } finally {
    await log.close()
  }
}

async function instantOf(text: string): Promise<number> {
  const { parseAsOf } = await import('../../app/mill.ts')
  const asOf = parseAsOf(/^\d+$/.test(text) ? Number(text) : text)
  if (asOf !== 'latest') return asOf
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: '--as-of is "latest"',
    allowed: 'Give an instant: the newest event is only known once the log has been read.',
  })
}

function printExplanation(
  { view, feature, text, asOf, value, status, aggregates, history }: Explanation,
  limit: number,
): void {
  print(`${pc.bold(`${view}.${feature}`)} = ${valueText(value)}  ${pc.dim(status)}`)
  print(`${text}, as of ${instant(asOf)}`)
  for (const { name, from, to, value: partial, events } of aggregates) {
    print(
      `\n${name} = ${valueText(partial)} over [${from === null ? 'the first event' : instant(from)}, ${instant(to)}), ${counted(events.length, 'event')}`,
    )
    const shown = limit === 0 ? [] : events.slice(-limit)
    if (shown.length < events.length) print(pc.dim(`  (the newest ${shown.length}; --limit shows more)`))
    if (shown.length === 0) continue
    const rows = shown.map(({ ts, tie, input, source }) => [
      instant(ts),
      String(tie),
      input === null ? '' : valueText(input),
      `${source.place}/${source.partition}@${source.offset}`,
    ])
    print(table(['event time', 'id', 'input', 'in the log'], rows))
  }
  print(
    pc.dim(
      `\nread ${counted(history.records, 'record')}: ${history.accepted} accepted, ${history.duplicate} duplicate, ${history.late} late, ${history.refused} refused`,
    ),
  )
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
