import { Command } from 'commander'
import pc from 'picocolors'
import { explainFromLog, openReadOnlyLog } from '../../app/inspect-folder.ts'
import { loadPlan } from '../../app/load-plan.ts'
import { parseAsOf } from '../../app/mill.ts'
import { folderOption, jsonOption, parseKeys } from '../options.ts'
import { endProgressLine, makeProgressLine, print, printJson, table, valueText } from '../output.ts'

type Options = { folder: string; asOf?: string; limit: string; json?: boolean }
type Explanation = Awaited<ReturnType<typeof explainFromLog>>

export function explainCommand(): Command {
  return new Command('explain')
    .description(
      'Show how one value came about: window bounds, the events inside with their place in the log, the value',
    )
    .argument('<definitions>', 'module that exports the definitions')
    .argument('<view>', 'feature view')
    .argument('<feature>', 'feature of the view')
    .argument('<keys...>', 'join keys: customer_id=1')
    .option('--as-of <instant>', 'ISO 8601 with a zone, or epoch milliseconds; default: now')
    .option('--limit <count>', 'events shown per aggregation', '20')
    .addOption(folderOption())
    .addOption(jsonOption())
    .action(async (file: string, view: string, feature: string, pairs: string[], options: Options) => {
      const { plan } = await loadPlan(file)
      const log = await openReadOnlyLog(options.folder)
      try {
        const progress = makeProgressLine()
        const explanation = await explainFromLog({
          plan,
          log,
          view,
          feature,
          keys: parseKeys(pairs),
          asOf: options.asOf === undefined ? Date.now() : instantOf(options.asOf),
          onRead: (done) => progress({ phase: 'reading the log', done, total: null }),
        })
        endProgressLine()
        if (options.json === true) printJson(explanation)
        else printExplanation(explanation, Number(options.limit))
      } finally {
        await log.close()
      }
    })
}

function instantOf(text: string): number {
  const asOf = parseAsOf(/^\d+$/.test(text) ? Number(text) : text)
  return asOf === 'latest' ? Date.now() : asOf
}

function printExplanation(
  { view, feature, text, asOf, value, status, aggregates, history }: Explanation,
  limit: number,
): void {
  print(`${pc.bold(`${view}.${feature}`)} = ${valueText(value)}  ${pc.dim(status)}`)
  print(`${text}, as of ${instant(asOf)}`)
  for (const { name, from, to, value: partial, events } of aggregates) {
    print(
      `\n${name} = ${valueText(partial)} over [${from === null ? 'the first event' : instant(from)}, ${instant(to)}), ${events.length} events`,
    )
    const shown = events.slice(-limit)
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
      `\nread ${history.records} records: ${history.accepted} accepted, ${history.duplicate} duplicate, ${history.late} late, ${history.refused} refused`,
    ),
  )
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
