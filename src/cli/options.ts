import { Option } from 'commander'
import { MillraceError } from '../base/faults.ts'

export const folderOption = (): Option =>
  new Option('--folder <path>', 'data folder with the log and the state').default('.millrace').env('MILLRACE_FOLDER')

export const urlOption = (): Option =>
  new Option('--url <address>', 'address of a running `millrace dev`')
    .default('http://127.0.0.1:7070')
    .env('MILLRACE_URL')

export const jsonOption = (): Option => new Option('--json', 'print JSON, for programs')

/** The value of an option that takes a whole number. Throws `REQUEST_MALFORMED`. */
export function wholeNumber(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: `${option} is "${text}"`,
    allowed: `Give a whole number from ${min} to ${max}.`,
  })
}

const byteUnits: Readonly<Record<string, number>> = { '': 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 }

/** `name=value` of an option that may be given several times. Throws `REQUEST_MALFORMED`. */
export function parsePairs(option: string, pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at >= 1) return [pair.slice(0, at), pair.slice(at + 1)]
      throw new MillraceError('REQUEST_MALFORMED', { detail: `${option} is "${pair}"`, allowed: 'Write name=value.' })
    }),
  )
}

/** The value of an option that takes a size: `512MB`, `2GB`, or bytes. Throws `REQUEST_MALFORMED`. */
export function byteCount(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]B|)$/i.exec(text)
  const unit = byteUnits[match?.[2]?.toUpperCase() ?? '']
  if (match !== null && unit !== undefined) return Math.floor(Number(match[1]) * unit)
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: `${option} is "${text}"`,
    allowed: 'Give a size such as 512MB or 2GB.',
  })
}

/** Of lists that are shown to people. */
export const limitMax = 1_000_000

/** `customerId=1 terminalId=2` → keys; a value that reads as a JSON number or boolean is one, all else is text. */
export function parseKeys(pairs: readonly string[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) {
        throw new MillraceError('REQUEST_MALFORMED', {
          detail: `"${pair}" is no key`,
          allowed: `Write join keys as name=value: customerId=1. ${quoteHint}`,
        })
      }
      return [pair.slice(0, at), parseValue(pair.slice(at + 1))]
    }),
  )
}

export const quoteHint = 'Quote text that looks like a number: id=\'"1"\'.'

function parseValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  return /^".*"$/.test(text) ? text.slice(1, -1) : text
}

/**
 * `payments=a.parquet` → stream and file; without a name, the only stream there is.
 *
 * @param option that takes them, with a blank after it; empty for arguments.
 */
export function parseFiles(
  items: readonly string[],
  streams: readonly string[],
  option = '--events ',
): Record<string, string[]> {
  const files: Record<string, string[]> = {}
  for (const item of items) {
    const at = item.indexOf('=')
    const stream = at > 0 ? item.slice(0, at) : streams.length === 1 ? streams[0]! : ''
    if (!streams.includes(stream)) {
      throw new MillraceError('REQUEST_MALFORMED', {
        detail: `${option}${item} names no stream`,
        allowed: `Write ${option}STREAM=FILE with one of: ${streams.join(', ')}.`,
      })
    }
    files[stream] = [...(files[stream] ?? []), at > 0 ? item.slice(at + 1) : item]
  }
  return files
}
