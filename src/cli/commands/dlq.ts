import { isUtf8 } from 'node:buffer'
import { Command } from 'commander'
import type * as InspectFolder from '../../app/inspect-folder.ts'
import { MillraceError } from '../../base/faults.ts'
import { folderOption, jsonOption, limitMax, wholeNumber } from '../options.ts'
import { counted, print, printJson, table } from '../output.ts'
import { visible } from '../visible.ts'

type LocatedRejection = InspectFolder.LocatedRejection
type Folder = {
  readonly inspect: typeof InspectFolder
  readonly log: Awaited<ReturnType<typeof InspectFolder.openReadOnlyLog>>
  readonly kind: InspectFolder.RejectionKind
}
type Options = { folder: string; late?: boolean; json?: boolean }

export function dlqCommand(): Command {
  const command = new Command('dlq')
    .description('Look at events that were refused (dead-letter-queue) or came too late (late-events)')
    .helpCommand('help [command]', 'Print the help of a command')
  command
    .command('list')
    .description('List rejected events: where they lie, where they came from and why')
    .option('--late', 'the late events instead of the refused ones')
    .option('--limit <count>', 'the newest so many', '50')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nReads the data folder, also while dev runs: each checkpoint adds to it.')
    .action(list)
  command
    .command('show')
    .description('Show one rejected event: where it came from, every reason, its raw bytes')
    .argument('<place>', 'PARTITION@OFFSET in the dead-letter-queue, as `millrace dlq list` prints it')
    .option('--late', 'a place in late-events instead')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nControl characters are shown as \\u001b. --json has the raw bytes in base64.')
    .action(show)
  return command
}

async function list(options: Options & { limit: string }): Promise<void> {
  const limit = wholeNumber('--limit', options.limit, { min: 1, max: limitMax })
  const { total, newest } = await withFolder(options, ({ inspect, log, kind }) =>
    inspect.newestRejections(log, kind, limit),
  )
  if (options.json === true) {
    printJson(newest.map(forMachines))
    return
  }
  if (total === 0) {
    print(options.late === true ? 'no late events' : 'no dead letters')
    return
  }
  const rows = newest.map((one) => [
    placeOf(one),
    `${one.topic}/${one.partition}@${one.offset}`,
    one.stream,
    new Date(one.timestampMs).toISOString(),
    one.reason,
    excerpt(one.raw),
  ])
  print(table(['place', 'came from', 'stream', 'recorded', 'reason', 'raw'], rows))
  const shown = newest.length < total ? `, the newest ${newest.length} shown` : ''
  print(`${counted(total, options.late === true ? 'late event' : 'dead letter')}${shown}`)
}

async function show(text: string, options: Options): Promise<void> {
  const [, partition, offset] = /^(\d{1,9})@(\d{1,15})$/.exec(text) ?? []
  const place = { partition: Number(partition), offset: Number(offset) }
  const found =
    offset === undefined
      ? null
      : await withFolder(options, ({ inspect, log, kind }) => inspect.rejectionAt(log, kind, place))
  if (found === null) {
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `there is no ${options.late === true ? 'late event' : 'dead letter'} at "${text}"`,
      allowed: 'Give a place as `millrace dlq list` prints it, such as 2@17; for late events both take --late.',
    })
  }
  if (options.json === true) {
    printJson(forMachines(found))
    return
  }
  const recorded = new Date(found.timestampMs).toISOString()
  print(visible(`stream     ${found.stream}`))
  print(visible(`came from  ${found.topic}/${found.partition}@${found.offset}, recorded ${recorded}`))
  print(visible(`reason     ${found.reason}`))
  for (const line of reasonLines(found.detail)) print(visible(`           ${line}`))
  if (found.raw === null) print('raw        none')
  else {
    print(`raw        ${counted(found.raw.length, 'byte')}${isUtf8(found.raw) ? '' : ', not UTF-8: --json has them'}`)
    print(visible(Buffer.from(found.raw).toString()))
  }
}

async function withFolder<T>({ folder, late }: Options, work: (folder: Folder) => Promise<T>): Promise<T> {
  const inspect = await import('../../app/inspect-folder.ts')
  const log = await inspect.openReadOnlyLog(folder)
  try {
    return await work({ inspect, log, kind: late === true ? 'late' : 'refused' })
  } finally {
    await log.close()
  }
}

type Lateness = { readonly ts: number; readonly watermark: number }
type Refusals = readonly { code: string; path: string; came: string; allowed: string }[]

function reasonLines(detail: unknown): string[] {
  if (!Array.isArray(detail)) {
    const { ts, watermark } = detail as Lateness
    return [`event time ${new Date(ts).toISOString()}`, `watermark  ${new Date(watermark).toISOString()}`]
  }
  return (detail as Refusals).map(
    ({ code, path, came, allowed }) => `${path === '' ? 'event' : path}: ${code}, came ${came}, allowed ${allowed}`,
  )
}

function placeOf({ outputPartition, outputOffset }: LocatedRejection): string {
  return `${outputPartition}@${outputOffset}`
}

function forMachines(one: LocatedRejection): unknown {
  return { ...one, place: placeOf(one), raw: one.raw === null ? null : Buffer.from(one.raw).toString('base64') }
}

/** Enough to recognise an event by, on one line. */
function excerpt(raw: Uint8Array | null): string {
  if (raw === null) return '(none)'
  // As a stream, so that a character which is cut in two is left out rather than shown as a broken one.
  const text = new TextDecoder().decode(raw.subarray(0, 60), { stream: true }).replaceAll(/\s+/g, ' ')
  return raw.length > 60 ? `${text}…` : text
}
