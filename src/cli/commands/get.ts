import { Command } from 'commander'
import { errorText, request } from '../http.ts'
import { jsonOption, parseKeys, urlOption } from '../options.ts'
import { print, printJson, table, valueText } from '../output.ts'

type Options = { url: string; asOf?: string; with?: string; json?: boolean }

export function getCommand(): Command {
  return new Command('get')
    .description('Read the features of one entity from a running millrace')
    .argument('<service>', 'feature service, or one view')
    .argument('<keys...>', 'join keys: customer_id=1 terminal_id=2')
    .option('--as-of <instant>', 'ISO 8601 with a zone, epoch milliseconds, or "latest"; default: now')
    .option('--with <stream=event>', 'as if this event (JSON) had just been accepted, without sending it')
    .addOption(urlOption())
    .addOption(jsonOption())
    .action(async (service: string, pairs: string[], options: Options) => {
      const content = JSON.stringify({
        service,
        entities: [parseKeys(pairs)],
        ...(options.asOf === undefined ? {} : { asOf: parseInstantText(options.asOf) }),
        ...(options.with === undefined ? {} : { with: parseWith(options.with) }),
      })
      const answer = await request(options.url, '/v1/features', { type: 'application/json', content })
      if (answer.status !== 200) {
        print(errorText(answer.body))
        process.exitCode = 1
      } else if (options.json === true) printJson(answer.body)
      else printVector(answer.body as VectorAnswer)
    })
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
    print(
      table(
        ['feature', 'value', 'status', 'age'],
        features.map((name, index) => [
          name,
          valueText(values[index]),
          status[index] ?? '',
          ageMs[index] === null || ageMs[index] === undefined ? '' : `${ageMs[index]! / 1_000} s`,
        ]),
      ),
    )
  }
}

function parseInstantText(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text
}

function parseWith(text: string): { stream: string; event: unknown } {
  const at = text.indexOf('=')
  return { stream: text.slice(0, at), event: JSON.parse(text.slice(at + 1)) as unknown }
}
