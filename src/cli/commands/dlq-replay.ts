import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { systemClock } from '../../base/clock.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'
import { type Answer, request } from '../http.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, limitMax, urlOption, wholeNumber } from '../options.ts'
import { counted, faultIn, print, printJson, printRefusal, table } from '../output.ts'
import { visible } from '../visible.ts'

type Where = { url: string; folder: string; offline?: boolean } & KafkaCliOptions
type Options = Where & { late?: boolean; json?: boolean }
type ReplayOptions = Options & { all?: boolean; stream?: string; reason?: string; limit?: string }
type FixOptions = Options & { set?: string[]; with?: string }

const whereText = `
Asks a running millrace, at --url. When none runs, --offline opens the data
folder itself with the definitions that are applied in it, does the work and
closes it; with --kafka those, and the events, of the log in Kafka. In a cluster
ask the process that judges the partition.`

/** `replay` and `fix`, which change something; the others look. */
export function addReplayCommands(dlq: Command): void {
  const shared = (command: Command): Command =>
    addKafkaOptions(
      command
        .option('--late', 'late events instead of the refused ones')
        .addOption(urlOption())
        .option('--offline', 'nothing runs in the data folder: open it for this')
        .addOption(folderOption())
        .addOption(jsonOption()),
      { creates: false },
    )
  shared(
    dlq
      .command('replay')
      .description('Send rejected events to their streams again, unchanged, where that changes anything')
      .argument('[place...]', 'PARTITION@OFFSET, as `millrace dlq list` prints it')
      .option('--all', 'all that were not replayed or fixed')
      .option('--stream <name>', 'with --all: only those of a stream')
      .option('--reason <code>', 'with --all: only those with this code among their reasons')
      .option('--limit <count>', 'with --all: look at so many and no more'),
  )
    .addHelpText(
      'after',
      `${whereText}

A replay keeps partition and time, and counts once however often it is made:
  sent      it was sent again
  settled   it counts already: the log was read again when the definitions
            changed and accepted it in its own place, or it was replayed before
  refused   the definitions still refuse it, for the reasons given: see fix
  late      it would be late again
  duplicate an event of its id was accepted
Exits with 1 when some are neither sent nor settled.`,
    )
    .action(replay)
  shared(
    dlq
      .command('fix')
      .description('Send a mended event in place of a rejected one')
      .argument('<place>', 'PARTITION@OFFSET, as `millrace dlq list` prints it')
      .option('--set <path=value...>', 'change values: JSON, or text that is not JSON as it is')
      .option('--with <event>', 'the whole event: JSON, or @FILE that holds it'),
  )
    .addHelpText(
      'after',
      `${whereText}

Examples:
  $ millrace dlq fix 2@17 --set amount=12.5 --set customer.id=7
  $ millrace dlq fix 2@17 --with @mended.json

The mended event stands in for the rejected one, in its partition and with the
time of its record; a second one for the same place changes nothing. What would
still be refused, or late, is not sent. Quote text that is JSON: id='"17"'.`,
    )
    .action(fix)
}

export type Reason = { readonly code: string; readonly path: string; readonly came: string; readonly allowed: string }

export function reasonLine({ code, path, came, allowed }: Reason): string {
  return `${path === '' ? 'event' : path}: ${code}, came ${came}, allowed ${allowed}`
}

type Result = {
  readonly place: string
  readonly stream: string | null
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number } | null
  readonly outcome: string
  readonly at?: { readonly partition: number; readonly offset: number }
  readonly faults?: readonly Reason[]
  readonly ts?: number
  readonly watermark?: number
  readonly outside?: string | null
  readonly id?: string | number
}

const allowedPlaces = 'Give places as `millrace dlq list` prints them, such as 2@17; or --all.'
/** Of one request; a server takes no more. */
const portionMax = 1_000

async function replay(places: readonly string[], options: ReplayOptions): Promise<void> {
  const { all, stream, reason, late = false } = options
  if ((places.length === 0) !== (all === true)) {
    const detail = all === true ? 'there are places, and --all' : 'there is no place'
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: allowedPlaces })
  }
  const limit =
    options.limit === undefined ? limitMax : wholeNumber('--limit', options.limit, { min: 1, max: limitMax })
  await withServer(options, async (url) => {
    const results: Result[] = []
    let next: string | null = '0@0'
    for (let done = 0; all === true ? next !== null && done < limit : done < places.length; done = results.length) {
      const portion = places.slice(done, done + portionMax)
      const body =
        all === true
          ? { all, stream, reason, late, from: next ?? undefined, limit: Math.min(portionMax, limit - done) }
          : { places: portion, late }
      const answer = await post(url, '/v1/dead-letters/replay', JSON.stringify(body))
      if (answer === null) return
      const found = answer as { results: Result[]; next: string | null }
      results.push(...found.results)
      next = found.next
    }
    report(results, options)
  })
}

async function fix(place: string, options: FixOptions): Promise<void> {
  const { set = [], with: event, late = false } = options
  if (set.length > 0 === (event !== undefined)) {
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: event === undefined ? 'it says nothing to mend' : 'there are --set and --with',
      allowed: 'Give --set path=value, once or more; or --with and the whole event.',
    })
  }
  // Numbers travel as the text that was typed: no digit is lost on the way.
  const mended =
    event === undefined
      ? `"set":{${set.map(member).join(',')}}`
      : `"event":${checkedJson(event.startsWith('@') ? await readText(event.slice(1)) : event)}`
  const body = `{"place":${JSON.stringify(place)},"late":${late},${mended}}`
  await withServer(options, async (url) => {
    const answer = await post(url, '/v1/dead-letters/fix', body)
    if (answer !== null) report([answer as Result], options)
  })
}

/** `path=value` as a member of a JSON object. */
function member(pair: string): string {
  const at = pair.indexOf('=')
  if (at < 1) {
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `--set ${pair} names no path`,
      allowed: 'Write --set path=value, such as --set amount=12.5.',
    })
  }
  const value = pair.slice(at + 1)
  return `${JSON.stringify(pair.slice(0, at))}:${isJson(value) ? value : JSON.stringify(value)}`
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function checkedJson(text: string): string {
  if (isJson(text)) return text
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: 'the event of --with is not JSON',
    allowed: 'Give one JSON object, or @FILE that holds it.',
  })
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const details = { detail: `could not read ${file} (${messageOf(error)})`, allowed: 'Give @FILE with one event.' }
    throw new MillraceError('REQUEST_MALFORMED', details, { cause: error })
  }
}

/** A running millrace: the one at --url, or one of our own on the data folder for as long as it takes. */
async function withServer(
  { url, folder, offline, ...kafka }: Where,
  work: (url: string) => Promise<void>,
): Promise<void> {
  const log = await kafkaPlace(kafka)
  if (offline !== true) {
    if (log === undefined) return await work(url)
    const detail = '--kafka is given without --offline'
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: 'A process that runs is asked at --url.' })
  }
  const { openReadOnlyLog } = await import('../../app/inspect-folder.ts')
  // A folder that is not there must not be made by this.
  if (log === undefined) await (await openReadOnlyLog(folder)).close()
  const { millrace } = await import('../../app/mill.ts')
  const { startServer } = await import('../../app/server.ts')
  const mill = await millrace({ folder, act: false, ...(log === undefined ? {} : { log }) })
  try {
    const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
    try {
      await work(server.address)
    } finally {
      await server.close()
    }
  } finally {
    await mill.close()
  }
}

/** The body of a good answer; null when it was a fault, which is printed. */
async function post(url: string, path: string, content: string): Promise<unknown> {
  const { status, body }: Answer = await request(url, path, { type: 'application/json', content })
  if (status === 200) return body
  process.exitCode = 1
  printRefusal(faultIn(body))
  return null
}

function report(results: readonly Result[], { json, late }: Options): void {
  if (results.some(({ outcome }) => outcome !== 'sent' && outcome !== 'settled')) process.exitCode = 1
  if (json === true) {
    printJson(results)
    return
  }
  const noun = late === true ? 'late event' : 'dead letter'
  if (results.length === 0) {
    print(`no open ${noun}s`)
    return
  }
  const rows = results.map((one) => [one.place, sourceText(one), one.stream ?? '', one.outcome, detailText(one)])
  print(table(['place', 'came from', 'stream', 'outcome', 'detail'], rows))
  for (const { place, faults = [] } of results) {
    for (const reason of faults) print(visible(`  ${place} ${reasonLine(reason)}`))
  }
  const counts = Map.groupBy(results, ({ outcome }) => outcome)
  const parts = [...counts].map(([outcome, some]) => `${some.length.toLocaleString('en')} ${outcome}`)
  print(`${counted(results.length, noun)}: ${parts.join(', ')}`)
}

function sourceText({ source }: Result): string {
  return source === null ? '' : `${source.topic}/${source.partition}@${source.offset}`
}

function detailText({ outcome, at, faults, ts, watermark, outside, id }: Result): string {
  switch (outcome) {
    case 'sent':
      return `at ${at!.partition}@${at!.offset}`
    case 'settled':
      return 'counts already'
    case 'displaced':
      return 'too many newer rejections to tell whether it counts; send it as an event of its own'
    case 'refused':
      return `still: ${[...new Set(faults!.map(({ code }) => code))].join(',')}`
    case 'late':
      return outside ?? `${instantText(ts!)}, watermark ${instantText(watermark!)}`
    case 'duplicate':
      return `an event ${JSON.stringify(id)} was accepted`
    case 'halted':
      return 'its partition has stopped: see /health'
    case 'unread':
      return 'no stream reads its topic'
    default:
      return 'nothing is there'
  }
}

function instantText(ms: number): string {
  return new Date(ms).toISOString()
}
