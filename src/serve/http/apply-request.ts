import { isUtf8 } from 'node:buffer'
import { MillraceError, messageOf } from '../../base/faults.ts'
import { describe } from '../../schema/decode.ts'
import type { ApplyRequest } from '../http-service.ts'

const members = ['definitions', 'rollback', 'expected', 'note', 'allowIncompatible']
const example =
  'Send {"definitions": …, "expected": 3}, the definitions as data and the version that they were planned against; or {"rollback": 2, "expected": 3}.'

/** The body of `POST /v1/registry`, checked but for the definitions in it. Throws `REQUEST_MALFORMED`. */
export function parseApplyRequest(body: Uint8Array): ApplyRequest {
  const request = parseObject(body)
  const unknown = Object.keys(request).find((name) => !members.includes(name))
  if (unknown !== undefined) throw malformed(`it has a member ${describe(unknown).replace('string ', '')}`)
  const { definitions, rollback, expected, note, allowIncompatible = false } = request
  if ((definitions === undefined) === (rollback === undefined)) {
    throw malformed(`it has ${definitions === undefined ? 'neither' : 'both'} "definitions" and "rollback"`)
  }
  if (rollback !== undefined && !isNumber(rollback)) throw malformed(`"rollback" is ${describe(rollback)}`)
  if (!isNumber(expected)) throw malformed(`"expected" is ${expected === undefined ? 'missing' : describe(expected)}`)
  if (note !== undefined && typeof note !== 'string') throw malformed(`"note" is ${describe(note)}`)
  if (typeof allowIncompatible !== 'boolean') throw malformed(`"allowIncompatible" is ${describe(allowIncompatible)}`)
  return {
    change: isNumber(rollback) ? { rollback } : { definitions },
    expected,
    ...(note === undefined ? {} : { note }),
    allowIncompatible,
  }
}

function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  if (!isUtf8(body)) throw malformed('the body is not UTF-8')
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
  } catch (error) {
    throw malformed(`the body is not JSON (${messageOf(error)})`)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw malformed(`the body is ${describe(value)}`)
  // Own members without a prototype: a body that says nothing of a member must not find it elsewhere.
  return Object.assign(Object.create(null) as Record<string, unknown>, value)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function malformed(detail: string): MillraceError {
  return new MillraceError('REQUEST_MALFORMED', { detail, allowed: example })
}
