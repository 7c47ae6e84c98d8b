import { isUtf8 } from 'node:buffer'
import { Command } from 'commander'
import type * as DeadLetters from '../../app/dead-letters.ts'
import type { openLogToRead } from '../../app/open-log.ts'
import { systemClock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, limitMax, wholeNumber } from '../options.ts'
import { counted, print, printJson, table } from '../output.ts'
import { visible } from '../visible.ts'
import { addReplayCommands, type Reason, reasonLine } from './dlq-replay.ts'

type Letter = DeadLetters.Letter
type Folder = {
  readonly letters: typeof DeadLetters
  readonly log: Awaited<ReturnType<typeof openLogToRead>>
  readonly kind: 'late' | 'refused'
}
type Options = { folder: string; late?: boolean; json?: boolean } & KafkaCliOptions
type ListOptions = Options & { limit: string; open?: boolean; stream?: string; reason?: string }

export function dlqCommand(): Command {
  const command = new Command('dlq')
    .description('Look at events that were refused (dead-letter-queue) or came too late (late-events); mend and replay')
    .helpCommand('help [command]', 'Print the help of a command')
  addKafkaOptions(command.command('list'), { creates: false })
    .description('List rejected events: where they lie, where they came from and why')
    .option('--late', 'the late events instead of the refused ones')
    .option('--open', 'only those that were not replayed or fixed')
    .option('--stream <name>', 'only those of a stream')
    .option('--reason <code>', 'only those with this code among their reasons, such as TYPE')
    .option('--limit <count>', 'the newest so many', '50')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nReads the data folder, also while dev runs: each checkpoint adds to it.')
    .action(list)
  addKafkaOptions(command.command('show'), { creates: false })
    .description('Show one rejected event: where it came from, every reason, its raw bytes, what became of it')
    .argument('<place>', 'PARTITION@OFFSET in the dead-letter-queue, as `millrace dlq list` prints it')
    .option('--late', 'a place in late-events instead')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nControl characters are shown as \\u001b. --json has the raw bytes in base64.')
    .action(show)
  addReplayCommands(command)
  return command
}

async function list(options: ListOptions): Promise<void> {
  const countMax = wholeNumber('--limit', options.limit, { min: 1, max: limitMax })
  const { open, stream, reason } = options
  const filter = {
    ...(open === undefined ? {} : { open }),
    ...(stream === undefined ? {} : { stream }),
    ...(reason === undefined ? {} : { reason }),
  }
  const { total, newest } = await withFolder(options, ({ letters, log, kind }) =>
    letters.newestLetters(log, { kind, ...filter }, { countMax, clock: systemClock }),
  )
  if (options.json === true) {
    printJson(newest.map(forMachines))
    return
  }
  if (total === 0) {
    const which = Object.keys(filter).length > 0 ? ' of these' : ''
    print(`${options.late === true ? 'no late events' : 'no dead letters'}${which}`)
    return
  }
  const rows = newest.map((one) => [
    placeOf(one),
    `${one.topic}/${one.partition}@${one.offset}`,
    one.stream,
    new Date(one.timestampMs).toISOString(),
    one.reason,
    handledText(one),
    excerpt(one.raw),
  ])
  print(table(['place', 'came from', 'stream', 'recorded', 'reason', 'replay', 'raw'], rows))
  const shown = newest.length < total ? `, the newest ${newest.length} shown` : ''
  print(`${counted(total, options.late === true ? 'late event' : 'dead letter')}${shown}`)
}

async function show(text: string, options: Options): Promise<void> {
  const { found, avro } = await withFolder(options, async ({ letters, log, kind }) => {
    const place = letters.parsePlace(text)
    const letter = place === null ? null : await letters.letterAt(log, kind, place)
    const { readableEvent } = await import('../../app/schemas/readable-event.ts')
    return { found: letter, avro: letter === null ? null : await readableEvent(log, letter) }
  })
  if (found === null) {
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `there is no ${options.late === true ? 'late event' : 'dead letter'} at "${text}"`,
      allowed: 'Give a place as `millrace dlq list` prints it, such as 2@17; for late events both take --late.',
    })
  }
  if (options.json === true) {
    printJson({ ...(forMachines(found) as object), ...(avro === null ? {} : { avro }) })
    return
  }
  const recorded = new Date(found.timestampMs).toISOString()
  print(visible(`stream     ${found.stream}`))
  print(visible(`came from  ${found.topic}/${found.partition}@${found.offset}, recorded ${recorded}`))
  print(visible(`reason     ${found.reason}`))
  for (const line of reasonLines(found.detail)) print(visible(`           ${line}`))
  print(`replay     ${handledText(found)}`)
  if (found.raw === null) print('raw        none')
  else {
    print(`raw        ${counted(found.raw.length, 'byte')}${isUtf8(found.raw) ? '' : ', not UTF-8: --json has them'}`)
    print(visible(Buffer.from(found.raw).toString()))
  }
  if (avro !== null) print(visible(`in Avro    ${JSON.stringify(avro)}`))
}

async function withFolder<T>(options: Options, work: (folder: Folder) => Promise<T>): Promise<T> {
  const { openLogToRead } = await import('../../app/open-log.ts')
  const letters = await import('../../app/dead-letters.ts')
  const log = await openLogToRead(options.folder, await kafkaPlace(options))
  try {
    return await work({ letters, log, kind: options.late === true ? 'late' : 'refused' })
  } finally {
    await log.close()
  }
}

type Lateness = { readonly ts: number; readonly watermark: number; readonly outside?: string }

function reasonLines(detail: unknown): string[] {
  if (Array.isArray(detail)) return (detail as Reason[]).map(reasonLine)
  const { ts, watermark, outside } = detail as Lateness
  if (outside !== undefined) return [`event time ${new Date(ts).toISOString()}, ${outside}`]
  return [`event time ${new Date(ts).toISOString()}`, `watermark  ${new Date(watermark).toISOString()}`]
}

function handledText({ handled }: Letter): string {
  if (handled === null) return 'open'
  const done = handled.outcome === 'settled' ? 'settled' : handled.mended ? 'fixed' : 'replayed'
  return handled.at === null ? done : `${done} at ${handled.at.partition}@${handled.at.offset}`
}

function placeOf({ outputPartition, outputOffset }: Letter): string {
  return `${outputPartition}@${outputOffset}`
}

function forMachines(one: Letter): unknown {
  const raw = one.raw === null ? null : Buffer.from(one.raw).toString('base64')
  return { ...one, headers: undefined, place: placeOf(one), raw }
}

/** Enough to recognise an event by, on one line. */
function excerpt(raw: Uint8Array | null): string {
  if (raw === null) return '(none)'
  // As a stream, so that a character which is cut in two is left out rather than shown as a broken one.
  const text = new TextDecoder().decode(raw.subarray(0, 60), { stream: true }).replaceAll(/\s+/g, ' ')
  return raw.length > 60 ? `${text}…` : text
}
