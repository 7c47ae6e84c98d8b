import { Command } from 'commander'
import { MillraceError, messageOf } from '../../base/faults.ts'
import { request } from '../http.ts'
import { jsonOption, parseKeys, urlOption } from '../options.ts'
import { ageText, faultIn, print, printJson, printRefusal, table, valueText } from '../output.ts'

type Options = { url: string; asOf?: string; with?: string; json?: boolean }

export function getCommand(): Command {
  return new Command('get')
    .description('Read the features of one entity from a running millrace')
    .argument('<service>', 'feature service, or one feature view')
    .argument('<keys...>', 'join keys, such as customerId=7 terminalId=3')
    .option('--as-of <instant>', 'ISO 8601 with a zone, epoch milliseconds, or "latest" (default: now)')
    .option('--with <stream=event>', 'as if this event (JSON) had just been accepted, without sending it')
    .addOption(urlOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ millrace get fraud_v1 customerId=7 terminalId=3
  $ millrace get fraud_v1 customerId=7 terminalId=3 --as-of latest
  $ millrace get fraud_v1 customerId=7 terminalId=3 \\
      --with 'payments={"paymentId":"p2", …}'

A value that reads as a number, true or false is one. Quote text that looks so:
id='"1"'. "latest" is one millisecond after the newest event of the keys; with
--with, the default instant is one millisecond after that event.`,
    )
    .action(run)
}

async function run(service: string, pairs: string[], options: Options): Promise<void> {
  const asOf = options.asOf === undefined ? undefined : parseInstantText(options.asOf)
  const content = JSON.stringify({ service, entities: [parseKeys(pairs)], asOf })
  const answer = await request(options.url, '/v1/features', {
    type: 'application/json',
    content: options.with === undefined ? content : `${content.slice(0, -1)},"with":${withText(options.with)}}`,
  })
  if (answer.status !== 200) process.exitCode = 1
  if (options.json === true) printJson(answer.body)
  else if (answer.status === 200) printVector(answer.body as VectorAnswer)
  else printRefusal(faultIn(answer.body))
}

type VectorAnswer = {
  readonly features: readonly string[]
  readonly rows: readonly {
    readonly asOf: number
    readonly values: readonly unknown[]
    readonly status?: readonly string[]
    readonly ageMs?: readonly (number | null)[]
  }[]
}

function printVector({ features, rows }: VectorAnswer): void {
  for (const { asOf, values, status = [], ageMs = [] } of rows) {
    print(`as of ${new Date(asOf).toISOString()}`)
    const lines = features.map((name, index) => {
      const age = ageMs[index] ?? null
      return [name, valueText(values[index]), status[index] ?? '', age === null ? '' : ageText(age)]
    })
    print(table(['feature', 'value', 'status', 'age'], lines))
  }
}

function parseInstantText(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text
}

/** The event goes out as it was written: 1.0 or 1e999 must meet the verdict that they would meet when sent. */
function withText(text: string): string {
  const at = text.indexOf('=')
  const event = text.slice(at + 1)
  const malformed = (detail: string, cause?: unknown): MillraceError =>
    new MillraceError(
      'REQUEST_MALFORMED',
      {
        detail,
        allowed: 'Write --with STREAM=EVENT, the event as one JSON object: --with \'payments={"paymentId":"p2", …}\'.',
      },
      { cause },
    )
  if (at < 1 || text.slice(0, at).includes('{')) throw malformed('--with names no stream')
  try {
    JSON.parse(event)
  } catch (error) {
    throw malformed(`the event of --with is not JSON (${messageOf(error)})`, error)
  }
  return `{"stream":${JSON.stringify(text.slice(0, at))},"event":${event}}`
}
