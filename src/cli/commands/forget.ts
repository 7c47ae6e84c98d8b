import { Command } from 'commander'
import { request } from '../http.ts'
import { jsonOption, parseKeys, urlOption } from '../options.ts'
import { faultIn, print, printJson, printRefusal } from '../output.ts'

type Options = { url: string; json?: boolean }

export function forgetCommand(): Command {
  return new Command('forget')
    .description('Forget an entity: its past events count nowhere any more')
    .argument('<entity>', 'entity of the definitions')
    .argument('<keys...>', 'join keys, such as customerId=7')
    .addOption(urlOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  $ millrace forget customer customerId=7

From then on reads, training sets from the log and explanations are as if the
events so far had never been about this entity; events to come count. The raw
events are still in the log, and other entities that they are about keep them:
\`millrace compact\` takes what was forgotten out of the files.`,
    )
    .action(run)
}

async function run(entity: string, pairs: string[], options: Options): Promise<void> {
  const content = JSON.stringify({ entity, keys: parseKeys(pairs) })
  const answer = await request(options.url, '/v1/forget', { type: 'application/json', content })
  if (answer.status !== 200) process.exitCode = 1
  if (options.json === true) printJson(answer.body)
  else if (answer.status === 200) print(`forgotten as of ${String((answer.body as { at: string }).at)}`)
  else printRefusal(faultIn(answer.body))
}
