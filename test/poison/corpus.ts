/**
 * Raw events that break decoders, each with what must become of it, for the stream `payments` of `definitions.ts`. The
 * bytes are in `corpus/NNN-name.bin`, and those of some large ones in parts in `corpus.jsonl`, which says for each:
 *
 * - its verdict, and every reason of a refusal with its path, empty for the whole;
 * - `values`: what an accepted one decodes to, where a decoder could get it wrong; an amount is in cents, an instant in
 *   epoch milliseconds;
 * - `cannot`: the entrances that do not carry just these bytes, and why. Every other one gives that verdict.
 *
 * The rules behind the expectations:
 * - the whole is judged before its fields, in the order SIZE, ENCODING, DEPTH, JSON, SHAPE; the first one ends it;
 * - then every field has at most one fault, and all of them are listed in the declared order;
 * - a number means the double nearest to it, as `JSON.parse` reads it; JSON itself is exactly what RFC 8259 allows;
 * - fields that are not declared are not judged, whatever they are called and hold.
 *
 * A new one is a new file with the next number and a line in `corpus.jsonl`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RefusalCode } from '../../src/schema/decode.ts'

export const entrances = [
  'http one',
  'http array',
  'http lines',
  'cli argument',
  'cli file',
  'library raw',
  'library typed',
  'replay',
] as const

export type Entrance = (typeof entrances)[number]

export type PoisonReason = {
  readonly code: RefusalCode
  /** Name of the field; empty for the whole body. */
  readonly path: string
}

export type Poison = {
  readonly file: string
  readonly name: string
  readonly body: Uint8Array<ArrayBuffer>
  readonly expected: 'accepted' | readonly PoisonReason[]
  readonly values: Readonly<Record<string, string | number | boolean | null>>
  readonly cannot: Readonly<Partial<Record<Entrance, string>>>
}

type Entry = Omit<Poison, 'body' | 'expected' | 'values' | 'cannot'> &
  Partial<Pick<Poison, 'values' | 'cannot'>> & {
    readonly verdict: 'accepted' | 'refused'
    readonly reasons?: readonly PoisonReason[]
    readonly parts?: readonly Part[]
  }

/** Text or hexadecimal bytes, so many times; `#` is the number of the time. */
type Part = { readonly text?: string; readonly hex?: string; readonly times: number }

const folder = import.meta.dirname
const lines = readFileSync(join(folder, 'corpus.jsonl'), 'utf8').trimEnd().split('\n')

export const poison: readonly Poison[] = lines.map((line) => {
  const { verdict, reasons, parts, ...entry } = JSON.parse(line) as Entry
  return {
    ...entry,
    body: parts === undefined ? new Uint8Array(readFileSync(join(folder, 'corpus', entry.file))) : joined(parts),
    expected: verdict === 'accepted' ? 'accepted' : reasons!,
    values: entry.values ?? {},
    cannot: entry.cannot ?? {},
  }
})

/** Those that an entrance carries. */
export function carriedBy(entrance: Entrance): readonly Poison[] {
  return poison.filter(({ cannot }) => cannot[entrance] === undefined)
}

function joined(parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    Buffer.concat(
      parts.map(({ text, hex = '', times }) => {
        if (text?.includes('#') === true) {
          return Buffer.from(Array.from({ length: times }, (_, index) => text.replace('#', `${index}`)).join(''))
        }
        const one = text === undefined ? Buffer.from(hex, 'hex') : Buffer.from(text)
        return Buffer.alloc(one.length * times, one)
      }),
    ),
  )
}
