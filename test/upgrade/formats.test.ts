import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { makeManualClock } from '../../src/base/clock.ts'
import { encodeManifest, type Manifest, readManifest } from '../../src/app/backup/manifest.ts'
import { compilePlan } from '../../src/app/load-plan.ts'
import { applyEvent, makeKeyState } from '../../src/kernel/key-state.ts'
import { decodeState, encodeState } from '../../src/kernel/state-codec.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import { encodeEndMark, readEndMark } from '../../src/log/embedded/end-mark.ts'
import { nodeFileSystem } from '../../src/log/embedded/node-file-system.ts'
import { SparseIndex } from '../../src/log/embedded/sparse-index.ts'
import { readLogId, readTopicFile } from '../../src/log/embedded/topic-file.ts'
import { encodeBatch, readBatchHeader } from '../../src/log/record-batch.ts'
import type { LogRecord } from '../../src/log/log.ts'
import { decodeRecords } from '../../src/log/record-decoder.ts'
import { encodeErasure, erasureHeader, readErasure } from '../../src/plan/erasure.ts'
import type { FeatureStatus } from '../../src/plan/finish-view.ts'
import { parseForgotten } from '../../src/plan/forgotten.ts'
import { definitionsToJson } from '../../src/registry/definitions-json.ts'
import { decodeVersion, encodeVersion, type Version } from '../../src/registry/version-record.ts'
import { decodeVectors, type DecodedVectors } from '../../src/serve/decode-vectors.ts'
import { VectorBinary } from '../../src/serve/vector-binary.ts'
import type { VectorRows } from '../../src/serve/vector-rows.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import { type Checkpoint, encodeCheckpoint, readCheckpoint } from '../../src/stream/checkpoint.ts'
import { readProgress, putProgress } from '../../src/stream/interval-entries.ts'
import { decodeIds, encodeIds } from '../../src/stream/seen-ids.ts'
import { checkpointKey } from '../../src/stream/store-keys.ts'
import { risk } from './definitions.ts'

// Goal: no durable format changes without a new version, what older releases wrote is read, and what newer ones wrote is
// refused in words.
// Method: the bytes of each format and version are committed. The newest of each is what the code writes now; all of
// them are read. `UPDATE=1` writes the newest where it is missing: never over one that is there.

const folder = join(import.meta.dirname, 'formats')

type Format = {
  readonly name: string
  readonly version: number
  /** What the code writes now. */
  readonly write: () => Promise<Uint8Array> | Uint8Array
  /** Reads the committed bytes of any version, and checks what is in them. */
  readonly read: (bytes: Uint8Array, version: number) => unknown
  /** The same in a version that does not exist yet. */
  readonly newer: (bytes: Uint8Array) => Uint8Array
  /** What is said of that; null: it is a hint, and written anew. */
  readonly refused: { readonly code: string; readonly message: RegExp } | null
}

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const parse = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
const newerJson = (bytes: Uint8Array): Uint8Array => json({ ...parse(bytes), version: 99 })
const newerByte = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes, (byte, index) => (index === 0 ? 99 : byte))

const plan = compilePlan([risk])
const [view] = plan.views
const checkpoint: Checkpoint = {
  version: 2,
  log: 'a-log',
  number: 7,
  plan: plan.hash,
  previous: null,
  tracks: [
    {
      track: 0,
      stream: 'aaaaaaaaaaaaaaaa',
      name: 'payments',
      building: false,
      views: ['bbbbbbbbbbbbbbbb'],
      sources: [
        {
          topic: 'payments.v1',
          partition: 0,
          next: 5,
          watermark: 1_700_000_000_000,
          emitFrom: 0,
          counts: { records: 5, accepted: 2, duplicate: 1, late: 1, refused: 1, conflicts: 1 },
        },
      ],
    },
  ],
  tracksMade: 1,
  views: { bbbbbbbbbbbbbbbb: { applied: 2, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 } },
  forgotten: 0,
  outputs: { 'dead-letter-queue': [1] },
} as Checkpoint
const ids = [
  { id: 'p1', ts: 1_700_000_000_000, hash: -5 },
  { id: -7, ts: 1_700_000_000_001, hash: 9 },
]
const version: Version = {
  number: 1,
  previous: 0,
  kind: 'apply',
  plan: 'c'.repeat(64),
  definitions: definitionsToJson([risk]),
  at: '2026-01-01T00:00:00.000Z',
  note: null,
}
const manifest: Manifest = {
  version: 1,
  millrace: '0.1.0',
  log: 'a-log',
  at: '2026-01-01T00:00:00.000Z',
  ends: { 'payments.v1': [3] },
  files: [{ path: 'log/log.json', bytes: 10, sha256: 'd'.repeat(64) }],
}
const forgotten = {
  version: 1,
  entity: 'customer',
  key: 'e'.repeat(64),
  prefix: { 'payments.v1': [3] },
  at: '2026-01-01T00:00:00.000Z',
}
const erasure = { keys: [{ entity: 'customer', paths: ['customerId'] }], hash: -7 }
const progress = { version: 1, shape: 's', closed: 1_700_000_000_000, recordMs: { 'payments.v1/0': 1 } } as const
const vectorRows: VectorRows = {
  shape: {
    service: 'fraud',
    names: ['n', 'amount', 'seen', 'place', 'last', 'tags'],
    types: [
      { kind: 'int' },
      { kind: 'decimal', scale: 2 },
      { kind: 'boolean' },
      { kind: 'string' },
      { kind: 'list', of: { kind: 'float' } },
      { kind: 'list', of: { kind: 'string' } },
    ],
    views: [0, 0, 1, 1, 1, 1],
  },
  size: 2,
  instant: 1_700_000_000_000,
  prefix: { payments: [3, 4], 'payments.history': [9] },
  asOf: [1_700_000_000_000, 1_700_000_000_000],
  values: [3, 12.34, true, 'Zürich', [0.5, null], ['a', null], 0, null, null, null, null, []],
  full: true,
  status: [...Array<FeatureStatus>(6).fill('PRESENT'), ...Array<FeatureStatus>(6).fill('NOT_FOUND')],
  ageMs: [5, 5, 7, 7, 7, 7, null, null, null, null, null, null],
}
const vectors: DecodedVectors = {
  service: 'fraud',
  asOf: 1_700_000_000_000,
  features: vectorRows.shape.names,
  types: ['int', 'decimal(2)', 'boolean', 'string', 'list of float', 'list of string'],
  rows: [0, 1].map((row) => ({
    asOf: 1_700_000_000_000,
    values: vectorRows.values.slice(row * 6, row * 6 + 6),
    status: vectorRows.status.slice(row * 6, row * 6 + 6),
    ageMs: vectorRows.ageMs.slice(row * 6, row * 6 + 6),
  })),
  prefix: { payments: [3, 4], 'payments.history': [9] },
}
const recordOf = (value: Uint8Array): LogRecord => ({ offset: 0, timestampMs: 0, key: null, value, headers: [] })

/** The files of a log that was made and closed here. */
async function logFile(path: string): Promise<Uint8Array> {
  return await inFolder(async (base) => {
    const log = await openEmbeddedLog({ folder: base, clock: makeManualClock(0), makeId: () => 'a-log' })
    await log.createTopic('payments.v1', { partitions: 2, retentionMs: 1000 })
    await log.close()
    return readFileSync(join(base, path))
  })
}

async function inFolder<Result>(action: (base: string) => Promise<Result>): Promise<Result> {
  const base = mkdtempSync(join(tmpdir(), 'millrace-formats-'))
  try {
    return await action(base)
  } finally {
    rmSync(base, { recursive: true })
  }
}

const withFile = (path: string, read: (base: string) => Promise<unknown>) => (bytes: Uint8Array) =>
  inFolder(async (base) => {
    await mkdir(join(base, path, '..'), { recursive: true })
    writeFileSync(join(base, path), bytes)
    return await read(base)
  })

function state(): Uint8Array {
  const { program } = view!
  const made = makeKeyState(program)
  for (let event = 0; event < 3; event++) {
    const values = program.columns.map(({ kind }) => (kind === 'string' ? 'NL' : kind === 'boolean' ? true : event))
    applyEvent(program, made, { ts: 1_700_000_000_000 + event, tie: `p${event}`, values })
  }
  return encodeState(program, made)
}

function index(): { offsets: Uint8Array; times: Uint8Array } {
  const sparse = new SparseIndex(100)
  const batch = encodeBatch([{ key: null, value: new Uint8Array(9), timestampMs: 5 }], 100)
  sparse.add(readBatchHeader(batch, 0), 0)
  return sparse.encode({ sizeBytes: batch.length, records: 1 })
}

const logVersion = { code: 'LOG_VERSION_UNKNOWN', message: /\.json has format version 99; this release reads \d/ }
const stateVersion = { code: 'STATE_VERSION_UNKNOWN', message: /has format version 99; this release reads \d/ }

const formats: readonly Format[] = [
  {
    name: 'log.json',
    version: 1,
    write: () => logFile('log.json'),
    read: withFile('log.json', async (base) => assert.equal(await readLogId(nodeFileSystem, base), 'a-log')),
    newer: newerJson,
    refused: logVersion,
  },
  {
    name: 'topic.json',
    version: 1,
    write: () => logFile('topics/payments.v1/topic.json'),
    read: withFile('topics/payments.v1/topic.json', async (base) => {
      const topic = await readTopicFile(nodeFileSystem, base, 'payments.v1')
      assert.equal(topic!.partitions, 2)
      assert.equal(topic!.retentionMs, 1000)
    }),
    newer: newerJson,
    refused: logVersion,
  },
  {
    name: 'ends.json',
    version: 1,
    write: () => encodeEndMark({ log: 'a-log', ends: new Map([['payments.v1', [3, 4]]]) }),
    read: withFile('ends.json', async (base) => {
      const ends = await readEndMark(nodeFileSystem, base, 'a-log')
      assert.deepEqual(ends.get('payments.v1'), [3, 4])
    }),
    newer: newerJson,
    refused: logVersion,
  },
  {
    name: 'batch',
    version: 2,
    write: () => encodeBatch([{ ...recordOf(Buffer.from('v')), headers: [['h', Buffer.from('1')]] }], 7),
    read: (bytes) => {
      const records: LogRecord[] = []
      decodeRecords({ bytes, at: 0 }, { offset: 7, bytesMax: 1e9 }, records)
      assert.equal(Buffer.from(records[0]!.value!).toString(), 'v')
    },
    // A batch of another format stands in a log of another version: log.json says so first.
    newer: (bytes) => Uint8Array.from(bytes, (byte, at) => (at === 22 ? 0b100 : byte)),
    refused: { code: 'RECORD_BATCH_UNSUPPORTED', message: /compression zstd/ },
  },
  {
    name: 'index',
    version: 1,
    write: () => index().offsets,
    read: (bytes) => {
      const { times } = index()
      const sizeBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8)
      const found = SparseIndex.decode({ offsets: bytes, times }, { baseOffset: 100, sizeBytes })
      assert.equal(found!.nextOffset, 101)
    },
    newer: (bytes) => Uint8Array.from(bytes, (byte, at) => (at === 3 ? 99 : byte)),
    refused: null,
  },
  {
    name: 'timeindex',
    version: 1,
    write: () => index().times,
    read: (bytes) => {
      const sizeBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8)
      const found = SparseIndex.decode({ offsets: index().offsets, times: bytes }, { baseOffset: 100, sizeBytes })
      assert.equal(found!.index.newestMs, 5)
    },
    newer: (bytes) => Uint8Array.from(bytes, (byte, at) => (at === 3 ? 99 : byte)),
    refused: null,
  },
  {
    name: 'checkpoint',
    version: 2,
    write: () => encodeCheckpoint(checkpoint),
    read: async (bytes) => {
      const store = openMemoryOnlineStore()
      await store.write([[checkpointKey, bytes]])
      const found = readCheckpoint(store, { log: 'a-log', folder: '/data/store' })
      assert.deepEqual(found!.tracks[0]!.sources[0]!.counts, checkpoint.tracks[0]!.sources[0]!.counts)
    },
    newer: newerJson,
    refused: {
      ...stateVersion,
      message: /the checkpoint in \/data\/store has format version 99; this release reads \d/,
    },
  },
  {
    name: 'state',
    version: 1,
    write: state,
    read: (bytes) => assert.equal(decodeState(view!.program, bytes).applied, 3),
    newer: newerByte,
    refused: stateVersion,
  },
  {
    name: 'ids',
    version: 1,
    write: () => encodeIds(ids),
    read: (bytes) => assert.deepEqual(decodeIds(bytes), ids),
    newer: newerByte,
    refused: stateVersion,
  },
  {
    name: 'intervals',
    version: 1,
    write: () => putProgress('spending', progress)[1]!,
    read: async (bytes) => {
      const store = openMemoryOnlineStore()
      await store.write([[putProgress('spending', progress)[0], bytes]])
      assert.deepEqual(readProgress(store, 'spending'), progress)
    },
    newer: newerJson,
    refused: stateVersion,
  },
  {
    name: 'registry',
    version: 1,
    write: () => encodeVersion(version),
    read: (bytes) => assert.deepEqual(decodeVersion(recordOf(bytes)), version),
    newer: newerJson,
    refused: { code: 'REGISTRY_VERSION_UNKNOWN', message: /99/ },
  },
  {
    name: 'forgotten',
    version: 1,
    write: () => json(forgotten),
    read: (bytes) => assert.deepEqual(parseForgotten(recordOf(bytes)), forgotten),
    newer: newerJson,
    refused: { code: 'FORGOTTEN_MALFORMED', message: /its version is 99, known is 1/ },
  },
  {
    name: 'vectors',
    version: 1,
    write: () => new VectorBinary().write(vectorRows),
    read: (bytes) => assert.deepEqual(decodeVectors(bytes), vectors),
    newer: (bytes) => Uint8Array.from(bytes, (byte, index) => (index === 3 ? 99 : byte)),
    refused: { code: 'VECTORS_UNREADABLE', message: /version 99/ },
  },
  {
    name: 'erasure',
    version: 1,
    write: () => encodeErasure(erasure),
    read: (bytes) => assert.deepEqual(readErasure([[erasureHeader, bytes]]), erasure),
    newer: newerJson,
    refused: { code: 'ERASURE_MALFORMED', message: /its version is 99, known is 1/ },
  },
  {
    name: 'backup.json',
    version: 1,
    write: () => encodeManifest(manifest),
    read: withFile('backup.json', async (base) => assert.deepEqual(await readManifest(base), manifest)),
    newer: newerJson,
    refused: { code: 'BACKUP_VERSION_UNKNOWN', message: /backup\.json has format version 99; this release reads 1/ },
  },
]

const fileOf = (name: string, version: number): string => join(folder, `${name}.v${version}.bin`)

for (const { name, version: newest, write, read, newer, refused } of formats) {
  describe(`the format of ${name}`, () => {
    test(`is written as version ${newest}, byte for byte`, async () => {
      const file = fileOf(name, newest)
      const written = await write()
      if (process.env['UPDATE'] === '1' && !existsSync(file)) writeFileSync(file, written)
      const what = `${name} changed: give it a new version, and read this one as well`
      assert.equal(Buffer.from(written).toString('latin1'), readFileSync(file, 'latin1'), what)
    })

    test('is read in every version that was ever written', async () => {
      const versions = readdirSync(folder).flatMap((file) => {
        const found = /^(.*)\.v(\d+)\.bin$/.exec(file)
        return found?.[1] === name ? [Number(found[2])] : []
      })
      assert.ok(versions.includes(newest))
      for (const one of versions) await read(readFileSync(fileOf(name, one)), one)
    })

    test(
      refused === null ? 'is a hint: a newer one is not taken for one' : 'is refused in a newer version',
      async () => {
        const bytes = newer(readFileSync(fileOf(name, newest)))
        const attempt = async (): Promise<void> => {
          await read(bytes, newest)
        }
        if (refused === null) await assert.rejects(attempt(), TypeError)
        else await assert.rejects(attempt(), refused)
      },
    )
  })
}
