import { parseDuration } from '../base/duration.ts'
import { canonicalJson, sha256 } from '../base/hash.ts'
import { type AggregateCall, type Expression, walk } from '../schema/expression.ts'

/** Raised when the same definitions would give other values or other bytes: part of every hash below. */
const kernelVersion = 1

/** Hash of definitions as data, and of what else their values depend on: kernel, time-zone data where a zone is used. */
export function hashOf(content: Readonly<Record<string, unknown>>, timeZoneData: string): string {
  const text = canonicalJson({ kernelVersion, ...content })
  const zones = /"zone":"(?!UTC")/.test(text) ? timeZoneData : 'UTC'
  return sha256(`${text}\n${zones}`)
}

const fingerprintDigits = 16

/**
 * Names what is kept by what it depends on, and by nothing else: two streams of one fingerprint give the same verdicts,
 * two views of one fingerprint keep the same states. Names of streams, views and features have no part in it, so
 * renaming them computes nothing again.
 */
export function fingerprintOf(content: Readonly<Record<string, unknown>>, timeZoneData: string): string {
  return hashOf(content, timeZoneData).slice(0, fingerprintDigits)
}

/** An aggregation by what it computes: `60m` and `1h` are one window. */
export function callKey({ window, ...call }: AggregateCall): string {
  const overMs = window.over === 'lifetime' ? null : (parseDuration(window.over) ?? window.over)
  const offsetMs = window.offset === null ? 0 : (parseDuration(window.offset) ?? window.offset)
  const { precision } = window
  const hop = precision === undefined ? {} : { hopMs: parseDuration(precision.sawtooth) ?? precision.sawtooth }
  return canonicalJson({ ...call, window: { overMs, offsetMs, ...hop } })
}

/** Every aggregation of some features, once each, in an order that names and order of the features have no part in. */
export function distinctCalls(trees: readonly Expression[]): AggregateCall[] {
  const calls = new Map<string, AggregateCall>()
  for (const tree of trees) {
    walk(tree, (node) => {
      if (node.op === 'aggregate') calls.set(callKey(node.call), node.call)
    })
  }
  return [...calls.keys()].sort().map((key) => calls.get(key)!)
}
