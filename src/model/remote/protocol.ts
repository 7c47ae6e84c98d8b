import type { ModelRows, RunResult } from '../runner.ts'
import type { HttpAnswer, HttpRequest } from './transport.ts'

/** What a server said is not what its protocol allows. Nothing of it is shown to whoever asked for a prediction. */
export class MalformedAnswer extends Error {}

/** How a server is talked to. Requests and answers are built and read here, and sent elsewhere. */
export interface RemoteProtocol {
  /** The requests whose answers say whether the model over there fits. */
  readonly checks: readonly HttpRequest[]
  /** Null when it fits. Throws `MalformedAnswer`. */
  check(answers: readonly HttpAnswer[]): { readonly detail: string; readonly allowed: string } | null
  /** The input that a request cannot carry, of one row. After a check. */
  unfit(rows: ModelRows, row: number): string | null
  request(rows: ModelRows): HttpRequest
  /** Of an answer of status 200. Throws `MalformedAnswer`. */
  results(answer: HttpAnswer, rows: ModelRows): readonly RunResult[]
}

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new MalformedAnswer('it is no JSON', { cause })
  }
}

export function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw new MalformedAnswer(`${what} is no object`)
}

export function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new MalformedAnswer(`${what} is no list`)
}

export function jsonRequest(path: string, body: unknown): HttpRequest {
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  return { method: 'POST', path, headers, body: Buffer.from(JSON.stringify(body)) }
}

export function getRequest(path: string): HttpRequest {
  return { method: 'GET', path, headers: { accept: 'application/json' }, body: null }
}
