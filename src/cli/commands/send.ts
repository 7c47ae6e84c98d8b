import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import pc from 'picocolors'
import { MillraceError, messageOf } from '../../base/faults.ts'
import { type Answer, request } from '../http.ts'
import { jsonOption, urlOption } from '../options.ts'
import { counted, faultIn, print, printJson, printRefusal } from '../output.ts'
import { portions } from '../portions.ts'

type Options = { url: string; json?: boolean }

export function sendCommand(): Command {
  return new Command('send')
    .description('Send events to a running millrace; done when they are durable')
    .argument('<stream>', 'stream of the definitions')
    .argument(
      '[event]',
      'JSON of one event or an array of events; or @FILE with one event per line; default: lines from standard input',
    )
    .addOption(urlOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ millrace send payments '{"paymentId":"p1","customerId":7,"amount":12.5, …}'
  $ millrace send payments @payments.ndjson

An event that does not fit its stream is refused: it is kept in the
dead-letter-queue, every reason is printed, and the exit code is 1. The other
events are durable all the same.`,
    )
    .action(run)
}

async function run(stream: string, event: string | undefined, options: Options): Promise<void> {
  for await (const { answer, sent } of sendEvents(stream, event, options)) report(answer, { options, sent })
}

/** The answers to the requests that the events need; `sent` events were in earlier ones. */
export async function* sendEvents(
  stream: string,
  event: string | undefined,
  { url }: Pick<Options, 'url'>,
): AsyncGenerator<{ readonly answer: Answer; readonly sent: number }> {
  const path = `/v1/events/${encodeURIComponent(stream)}`
  if (event !== undefined && !event.startsWith('@')) {
    yield { answer: await request(url, path, { type: 'application/json', content: event }), sent: 0 }
    return
  }
  let sent = 0
  for (const { content, lines } of portions(event === undefined ? await readInput() : await readEvents(event))) {
    const answer = await request(url, path, { type: 'application/x-ndjson', content })
    yield { answer, sent }
    // A refused event is kept and the rest goes on; a refused request would be refused again.
    if (answer.status !== 202 && answer.status !== 422) return
    sent += lines
  }
}

type Refused = { index: number; code: string; path: string; came: string; allowed: string }
type Body = { accepted?: number; faults?: Refused[]; offsets?: { partition: number; offset: number }[] }

const linesMax = 20

/** @param sent events of earlier requests: an event is named by its place in the whole input. */
function report({ status, body }: Answer, { options, sent }: { options: Options; sent: number }): void {
  if (status !== 202) process.exitCode = 1
  if (options.json === true) {
    printJson(body)
    return
  }
  const { accepted = 0, faults = [], offsets = [] } = body as Body
  if (status === 202) {
    const places = offsets.slice(0, 4).map(({ partition, offset }) => `${partition}@${offset}`)
    const more = offsets.length > places.length ? ', …' : ''
    print(`${pc.green('durable')} ${counted(accepted, 'event')} at ${places.join(', ')}${more}`)
    return
  }
  const lines = faults.slice(0, linesMax).map(({ index, code, path, came, allowed }) => {
    const where = path === '' ? '' : ` ${path}`
    return `  event ${sent + index}${where}: ${code}, came ${came}, allowed ${allowed}`
  })
  if (faults.length > linesMax)
    lines.push(`  … and ${counted(faults.length - linesMax, 'reason')} more; --json has all`)
  if (faults.length === 0) printRefusal(faultIn(body))
  else {
    const refused = new Set(faults.map(({ index }) => index)).size
    const message = `${refused} of ${counted(offsets.length, 'event')} refused`
    printRefusal({ ...faultIn(body), message }, lines)
  }
}

async function readEvents(argument: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = argument.slice(1)
  try {
    return await readFile(file)
  } catch (error) {
    const details = {
      detail: `could not read ${file} (${messageOf(error)})`,
      allowed: 'Give @FILE with one event per line.',
    }
    throw new MillraceError('REQUEST_MALFORMED', details, { cause: error })
  }
}

async function readInput(): Promise<Uint8Array<ArrayBuffer>> {
  if (process.stdin.isTTY) process.stderr.write(pc.dim('reading events, one per line; Ctrl-D ends\n'))
  const chunks: Uint8Array[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}
