import { parseDuration } from '../base/duration.ts'
import type { FaultList } from './faults.ts'

const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/

export function checkName(path: string, what: string, name: string, faults: FaultList): void {
  if (namePattern.test(name)) return
  faults.add(path, `${what} has the name ${JSON.stringify(name)}`, 'letters, digits and _, at most 128, no digit first')
}

const topicPattern = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/

export function checkTopic(path: string, topic: string, faults: FaultList): void {
  if (topicPattern.test(topic)) return
  faults.add(path, `${JSON.stringify(topic)} is no topic`, '1 to 249 letters, digits, ".", "_", "-"')
}

/** Milliseconds of a duration in a definition; a malformed one is a fault and reads as 0. */
export function checkDuration(path: string, text: string, faults: FaultList): number {
  const ms = typeof text === 'string' ? parseDuration(text) : null
  if (ms === null)
    faults.add(path, `${JSON.stringify(text)} is no duration`, 'a whole number and ms, s, m, h or d: 10m')
  return ms ?? 0
}
