import { MillraceError } from '../../base/faults.ts'
import { closeBracket, comma, isSpace, openBrace, openBracket, skipSpace, valueEnd } from './json-scan.ts'

export type EventLimits = { readonly eventsMax: number; readonly eventBytesMax: number }

/**
 * The events of a body, each as the bytes in which it came, without the white space around it. An event that is not
 * well formed is passed on: its stream refuses it and keeps it. Throws `REQUEST_MALFORMED` when it cannot be told
 * where events begin and end, and `REQUEST_TOO_LARGE`; then there is none.
 */
export function splitEvents(body: Uint8Array, framing: 'json' | 'ndjson', limits: EventLimits): Uint8Array[] {
  const events = framing === 'ndjson' ? splitLines(body, limits) : splitJson(body, limits)
  if (events.length === 0) throw malformed('it holds no event')
  return events
}

function splitJson(body: Uint8Array, limits: EventLimits): Uint8Array[] {
  const start = skipSpace(body, 0)
  if (start === body.length) return []
  if (body[start] === openBracket) return splitArray(body, start, limits)
  if (body[start] !== openBrace) throw malformed(`it begins with ${nameOf(body, start)}`)
  const end = valueEnd(body, start)
  if (end < 0) throw malformed('its object does not end')
  const rest = skipSpace(body, end)
  if (rest < body.length) throw malformed(`after the object that ends at byte ${end} comes ${nameOf(body, rest)}`)
  const events: Uint8Array[] = []
  addEvent(events, body.subarray(start, end), limits)
  return events
}

function splitArray(body: Uint8Array, start: number, limits: EventLimits): Uint8Array[] {
  const events: Uint8Array[] = []
  let index = skipSpace(body, start + 1)
  if (body[index] !== closeBracket) {
    for (;;) {
      const end = valueEnd(body, index)
      if (end < 0) throw malformed(`element ${events.length} of its array, at byte ${index}, does not end`)
      if (end === index)
        throw malformed(`where element ${events.length} of its array should be is ${nameOf(body, index)}`)
      addEvent(events, body.subarray(index, end), limits)
      index = skipSpace(body, end)
      if (body[index] === closeBracket) break
      if (body[index] !== comma)
        throw malformed(`after element ${events.length - 1} of its array comes ${nameOf(body, index)}`)
      index = skipSpace(body, index + 1)
    }
  }
  const rest = skipSpace(body, index + 1)
  if (rest < body.length) throw malformed(`after the array that ends at byte ${index + 1} comes ${nameOf(body, rest)}`)
  return events
}

function splitLines(body: Uint8Array, limits: EventLimits): Uint8Array[] {
  const events: Uint8Array[] = []
  let start = 0
  while (start < body.length) {
    const newline = body.indexOf(0x0a, start)
    const lineEnd = newline < 0 ? body.length : newline
    const first = Math.min(skipSpace(body, start), lineEnd)
    let end = lineEnd
    while (end > first && isSpace(body[end - 1]!)) end -= 1
    if (end > first) addEvent(events, body.subarray(first, end), limits)
    start = lineEnd + 1
  }
  return events
}

function addEvent(events: Uint8Array[], event: Uint8Array, { eventsMax, eventBytesMax }: EventLimits): void {
  if (events.length === eventsMax) {
    throw new MillraceError('REQUEST_TOO_LARGE', { size: `more than ${eventsMax}`, unit: 'events', limit: eventsMax })
  }
  if (event.length > eventBytesMax) {
    const unit = `bytes in event ${events.length}`
    throw new MillraceError('REQUEST_TOO_LARGE', { size: event.length, unit, limit: eventBytesMax })
  }
  events.push(event)
}

function malformed(detail: string): MillraceError {
  return new MillraceError('REQUEST_MALFORMED', {
    detail,
    allowed:
      'Send one JSON object, or a JSON array of objects; or one object per line as application/x-ndjson. Nothing of this request is kept.',
  })
}

/** A byte as it may stand in a message: never more of a body than one printable character. */
function nameOf(body: Uint8Array, index: number): string {
  const byte = body[index]
  if (byte === undefined) return 'the end of the body'
  const name = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `0x${byte.toString(16).padStart(2, '0')}`
  return `${name} at byte ${index}`
}
