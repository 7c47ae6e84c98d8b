import { ByteReader, ByteWriter, MalformedBytes } from '../../base/bytes.ts'
import { sha256Bytes } from '../../base/hash.ts'
import { readEvents, writeEvents } from '../event-codec.ts'
import { makeEventColumns } from '../event-columns.ts'
import type { ViewProgram } from '../program.ts'
import { channelsOf } from './channels.ts'
import { readPlace, writePlace } from './place.ts'
import { notDecoded, type Span } from './span.ts'

/**
 * Durable forms. Canonical: what is made of equal sets of events is equal bytes.
 *
 *     page       version u8 · events
 *     node       version u8 · number of children · references · large partials of its own
 *     reference  ts, from the one before · place · count · newest - ts · version · partials
 *     partials   size · per channel: size · bytes; none when it is not kept here
 *
 * A reference has the version of its record, which is a hash of the record's bytes, and these have the versions of the
 * records below. So a head never goes with a page that is older, newer or damaged without that being found out.
 */
const formatVersion = 1

/**
 * A larger partial is kept in the node's own record, where those who need it find it; that of a page not at all. Some
 * hundred values of a set fit: were they in records of their own, a window's edge would load up to 64 of these.
 */
export const referencePartialBytesMax = 4096

/** A still larger one is not kept: the reader descends. */
export const nodePartialBytesMax = 64 * 1024

export function encodeRecord(program: ViewProgram, span: Span): Uint8Array {
  const writer = new ByteWriter(4096)
  writer.u8(formatVersion)
  if (span.events !== null) {
    writeEvents(writer, program, span.events)
    return writer.finish()
  }
  writeReferences(writer, program, span.children!)
  const { list } = channelsOf(program)
  for (const channel of span.large) {
    writer.varint(channel + 1)
    list[channel]!.aggregation.encode(span.partials![channel], writer)
  }
  writer.u8(0)
  return writer.finish()
}

/** Puts the content into its span, whose version was found to be that of the bytes. */
export function decodeRecord(program: ViewProgram, reader: ByteReader, span: Span): void {
  const found = reader.u8()
  if (found !== formatVersion) throw new MalformedBytes(`a page of format ${found}`)
  if (span.level === 1) {
    span.events = makeEventColumns(program.columns.length, program.keepsTies)
    readEvents(reader, program, span.events)
  } else {
    span.children = readReferences(reader, program, () => span.level - 1)
    const { list } = channelsOf(program)
    const large: number[] = []
    span.partials ??= list.map(() => notDecoded)
    for (let tag = reader.varint(); tag !== 0; tag = reader.varint()) {
      const channel = tag - 1
      if (list[channel] === undefined) throw new MalformedBytes(`there is no channel ${channel}`)
      span.partials[channel] = list[channel].aggregation.decode(reader)
      large.push(channel)
    }
    span.large = large
  }
  reader.expectEnd()
}

export function writeReferences(writer: ByteWriter, program: ViewProgram, spans: readonly Span[]): void {
  writer.varint(spans.length)
  let previous = 0
  for (const span of spans) {
    const { opener, count, newest, version, encoded } = span
    writer.varint(opener.ts - previous)
    previous = opener.ts
    writePlace(writer, opener, program)
    writer.varint(count)
    writer.varint(newest - opener.ts)
    writer.varint(version)
    writer.bytes(encoded!)
  }
}

export function readReferences(reader: ByteReader, program: ViewProgram, levelAt: (index: number) => number): Span[] {
  const length = reader.varint()
  const spans: Span[] = []
  let ts = 0
  for (let index = 0; index < length; index++) {
    ts += reader.varint()
    spans.push({
      level: levelAt(index),
      opener: readPlace(reader, ts, program),
      count: reader.varint(),
      newest: ts + reader.varint(),
      version: reader.varint(),
      encoded: reader.bytes(),
      partials: null,
      large: [],
      changed: false,
      stored: true,
      cost: 0,
      events: null,
      children: null,
    })
  }
  return spans
}

/** The partial of one channel as a reference has it; undefined: it does not. The others are not looked at. */
export function decodePartial(program: ViewProgram, encoded: Uint8Array, channel: number): unknown {
  const reader = new ByteReader(encoded)
  for (let before = 0; before < channel; before++) reader.bytes()
  const bytes = reader.bytes()
  if (bytes.length === 0) return undefined
  const own = new ByteReader(bytes)
  const partial = channelsOf(program).list[channel]!.aggregation.decode(own)
  own.expectEnd()
  return partial
}

/** The first 52 bits of the SHA-256 of a record. */
export function versionOf(bytes: Uint8Array): number {
  const digest = sha256Bytes(bytes)
  let version = digest[6]! & 0x0f
  for (let index = 0; index < 6; index++) version = version * 256 + digest[index]!
  return version
}
