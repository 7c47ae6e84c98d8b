import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import pc from 'picocolors'
import { errorText, request } from '../http.ts'
import { jsonOption, urlOption } from '../options.ts'
import { print, printJson } from '../output.ts'

export function sendCommand(): Command {
  return new Command('send')
    .description('Send events to a running millrace; returns when they are durable')
    .argument('<stream>', 'stream of the definitions')
    .argument('[event]', 'one event as JSON, or @FILE with one event per line; default: lines from standard input')
    .addOption(urlOption())
    .addOption(jsonOption())
    .action(async (stream: string, event: string | undefined, options: { url: string; json?: boolean }) => {
      const body =
        event === undefined
          ? { type: 'application/x-ndjson', content: await readInput() }
          : event.startsWith('@')
            ? { type: 'application/x-ndjson', content: await readFile(event.slice(1)) }
            : { type: 'application/json', content: event }
      const answer = await request(options.url, `/v1/events/${encodeURIComponent(stream)}`, body)
      if (options.json === true) printJson(answer.body)
      else if (answer.status === 202) print(`${pc.green('durable')} ${JSON.stringify(answer.body)}`)
      else print(`${pc.red('refused')} ${errorText(answer.body)}\n${JSON.stringify(answer.body, null, 2)}`)
      if (answer.status !== 202) process.exitCode = 1
    })
}

async function readInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}
