import { Command } from 'commander'
import { type LocatedRejection, openReadOnlyLog, readRejections } from '../../app/inspect-folder.ts'
import { MillraceError } from '../../base/faults.ts'
import { folderOption, jsonOption } from '../options.ts'
import { print, printJson, table } from '../output.ts'

type Options = { folder: string; late?: boolean; limit: string; json?: boolean }

export function dlqCommand(): Command {
  const command = new Command('dlq').description(
    'Look at what was refused (dead-letter-queue) or came too late (late-events)',
  )
  command
    .command('list')
    .description('List rejected events: where they came from and why')
    .option('--late', 'the late events instead of the refused ones')
    .option('--limit <count>', 'how many, newest last', '50')
    .addOption(folderOption())
    .addOption(jsonOption())
    .action(list)
  command
    .command('show')
    .description('Show one rejected event: its raw bytes, every reason, its place in the log')
    .argument('<place>', 'PARTITION@OFFSET in the dead-letter-queue, as `list` prints it')
    .option('--late', 'of the late events')
    .addOption(folderOption())
    .addOption(jsonOption())
    .action(show)
  return command
}

async function list(options: Options): Promise<void> {
  const found = await collect(options)
  const shown = found.slice(-Number(options.limit))
  if (options.json === true) {
    printJson(shown.map(forMachines))
    return
  }
  if (found.length === 0) {
    print(options.late === true ? 'no late events' : 'no dead letters')
    return
  }
  const rows = shown.map((one) => [
    placeOf(one),
    `${one.topic}/${one.partition}@${one.offset}`,
    one.stream,
    new Date(one.timestampMs).toISOString(),
    one.reason,
    excerpt(one.raw),
  ])
  print(table(['place', 'came from', 'stream', 'recorded', 'reason', 'raw'], rows))
  print(`${found.length} in all`)
}

async function show(place: string, options: Options): Promise<void> {
  const found = (await collect(options)).find((one) => placeOf(one) === place)
  if (found === undefined) {
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `there is no rejected event at "${place}"`,
      allowed: 'Give a place as `millrace dlq list` prints it, such as 2@17.',
    })
  }
  if (options.json === true) {
    printJson(forMachines(found))
    return
  }
  print(`stream     ${found.stream}`)
  print(
    `came from  ${found.topic}/${found.partition}@${found.offset}, recorded ${new Date(found.timestampMs).toISOString()}`,
  )
  print(`reason     ${found.reason}`)
  for (const line of reasonLines(found.detail)) print(`           ${line}`)
  print(`raw        ${found.raw?.length ?? 0} bytes`)
  print(found.raw === null ? '(none)' : visible(Buffer.from(found.raw).toString()))
}

function reasonLines(detail: unknown): string[] {
  if (!Array.isArray(detail)) return [JSON.stringify(detail)]
  return (detail as { code: string; path: string; came: string; allowed: string }[]).map(
    ({ code, path, came, allowed }) => `${path === '' ? 'event' : path}: ${code}, came ${came}, allowed ${allowed}`,
  )
}

async function collect({ folder, late }: { folder: string; late?: boolean }): Promise<LocatedRejection[]> {
  const log = await openReadOnlyLog(folder)
  try {
    return await Array.fromAsync(readRejections(log, late === true ? 'late' : 'refused'))
  } finally {
    await log.close()
  }
}

function placeOf({ outputPartition, outputOffset }: LocatedRejection): string {
  return `${outputPartition}@${outputOffset}`
}

function forMachines(one: LocatedRejection): unknown {
  return { ...one, place: placeOf(one), raw: one.raw === null ? null : Buffer.from(one.raw).toString('base64') }
}

/** Control characters of an event must not reach the terminal; line breaks and tabs may. */
function visible(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1))
}

/** Enough to recognise an event by, on one line. */
function excerpt(raw: Uint8Array | null): string {
  if (raw === null) return '(none)'
  const text = visible(Buffer.from(raw.subarray(0, 60)).toString()).replaceAll(/\s+/g, ' ')
  return raw.length > 60 ? `${text}…` : text
}
