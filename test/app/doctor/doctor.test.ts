import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { examineFolder, type Diagnosis } from '../../../src/app/doctor/doctor.ts'
import { millrace } from '../../../src/app/mill.ts'
import { SparseIndex } from '../../../src/log/embedded/sparse-index.ts'
import { deadLetterTopic, lateTopic, registryTopic } from '../../../src/plan/topics.ts'
import { encodeKey } from '../../../src/schema/key-codec.ts'
import { checkpointKey } from '../../../src/stream/store-keys.ts'
import {
  contentsOf,
  copyOf,
  editCheckpoint,
  entriesOf,
  freshFolder,
  openLog,
  plan,
  run,
  topic,
  withStore,
  writeHealthy,
} from './data-folder.ts'
import { risk } from '../../upgrade/definitions.ts'

let healthy = ''
let other = ''

before(async () => {
  healthy = freshFolder()
  await writeHealthy(healthy)
  other = freshFolder()
  await writeHealthy(other)
})

const states = 1
const ids = 2

const partition = (folder: string, name = topic, number = 0): string => join(folder, 'log/topics', name, String(number))
const segments = (folder: string, name = topic, number = 0): string[] =>
  readdirSync(partition(folder, name, number))
    .filter((file) => file.endsWith('.log'))
    .sort()
    .map((file) => join(partition(folder, name, number), file))
const indexOf = (segment: string): string => segment.replace(/log$/, 'index')

function flip(file: string, at: (size: number) => number, mask = 16): void {
  const content = readFileSync(file)
  content[at(content.length)]! ^= mask
  writeFileSync(file, content)
}

function editJson(file: string, edit: (content: Record<string, unknown>) => void): void {
  const content = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  edit(content)
  writeFileSync(file, JSON.stringify(content))
}

type Damage = {
  readonly what: string
  readonly damage: (folder: string) => unknown
  /** A line of each must be there: its status and what it says. */
  readonly says: readonly (readonly ['fault' | 'warning', RegExp])[]
  readonly deep?: boolean
  /** Looked at without the store, which takes a process of its own to read. */
  readonly logOnly?: boolean
}

const logDamages: readonly Damage[] = [
  {
    what: 'the tail of a killed partition cut off, below what its checkpoint has seen',
    damage: (folder) => {
      rmSync(join(folder, 'log/ends.json'))
      truncateSync(segments(folder).at(-1)!, 0)
    },
    says: [
      ['fault', /offsets \d+ to \d+ were durable and are gone/],
      ['fault', /checkpoint: the next offset of payments\.v1\/0 is \d+, beyond the log's end \d+/],
    ],
  },
]

const pureLogDamages: readonly Damage[] = [
  {
    what: 'a bit flipped in a full segment',
    damage: (folder) => flip(segments(folder)[1]!, () => 100),
    says: [['fault', /log: .*\.log: damaged at byte \d+: .*checksum.*; offsets \d+ to \d+ cannot be read/]],
  },
  {
    what: 'a bit flipped in the newest segment',
    damage: (folder) => flip(segments(folder).at(-1)!, () => 100),
    says: [['fault', /at byte 0: offsets \d+ to \d+ were durable and are gone/]],
  },
  {
    what: 'a bit flipped in the newest segment, with later groups and no other evidence',
    damage: (folder) => {
      rmSync(join(folder, 'log/ends.json'))
      flip(segments(folder).at(-1)!, () => 100)
    },
    says: [['fault', /damaged at byte 0: .*; later writes follow, so offset \d+ was durable/]],
  },
  {
    what: 'the tail of a closed partition cut off',
    damage: (folder) => truncateSync(segments(folder).at(-1)!, 10),
    says: [['fault', /were durable and are gone: a batch needs \d+ bytes, and 10 are left/]],
  },
  {
    what: 'a torn write at the end',
    damage: (folder) => appendFileSync(segments(folder).at(-1)!, 'half a batch'),
    says: [['warning', /a torn tail of 12 bytes after byte \d+, offset \d+/]],
  },
  {
    what: 'an index file missing',
    damage: (folder) => rmSync(indexOf(segments(folder)[0]!)),
    says: [['warning', /\.index: the index file is missing/]],
  },
  {
    what: 'an index file damaged',
    damage: (folder) => flip(indexOf(segments(folder)[0]!), () => 9),
    says: [['warning', /\.index: the index file is damaged/]],
  },
  {
    what: 'an index file of a newer release',
    damage: (folder) => flip(indexOf(segments(folder)[0]!), () => 3, 3),
    says: [['warning', /the index file has format version 2; this release reads 1/]],
  },
  {
    what: 'an index file that is whole and wrong',
    damage: (folder) => {
      const [segment] = segments(folder)
      const sizeBytes = readFileSync(segment!).length
      const { offsets } = new SparseIndex(0).encode({ sizeBytes, records: 7 })
      writeFileSync(indexOf(segment!), offsets)
    },
    says: [['fault', /the index file is whole, and says something else than its segment/]],
  },
  {
    what: 'a segment missing in the middle',
    damage: (folder) => rmSync(segments(folder)[1]!),
    says: [
      ['fault', /it ends at offset \d+, and the next segment begins at \d+/],
      ['warning', /an index file without its segment/],
    ],
  },
  {
    what: 'the first segment missing',
    damage: (folder) => rmSync(segments(folder)[0]!),
    says: [['fault', /it begins at offset \d+, and its topic keeps records for ever/]],
  },
  {
    what: 'the newest segment missing',
    damage: (folder) => rmSync(segments(folder).at(-1)!),
    says: [['fault', /were durable and are gone/]],
  },
  {
    what: 'a partition missing',
    damage: (folder) => rmSync(partition(folder, topic, 1), { recursive: true }),
    says: [['fault', /payments\.v1\/1: no segment is left/]],
  },
  {
    what: 'a topic without its description',
    damage: (folder) => rmSync(join(folder, 'log/topics', topic, 'topic.json')),
    says: [
      ['warning', /has no topic\.json/],
      ['fault', /topic "payments\.v1" held records in 2 partitions, and has 0 now/],
    ],
  },
  {
    what: 'a description of a topic that is no JSON',
    damage: (folder) => writeFileSync(join(folder, 'log/topics', topic, 'topic.json'), '{'),
    says: [['fault', /it is not JSON/]],
  },
  {
    what: 'a description of a topic in a newer form',
    damage: (folder) =>
      editJson(join(folder, 'log/topics', topic, 'topic.json'), (content) => (content['version'] = 99)),
    says: [['fault', /topic\.json has format version 99/]],
  },
  {
    what: 'a log in a newer form',
    damage: (folder) => editJson(join(folder, 'log/log.json'), (content) => (content['version'] = 2)),
    says: [['fault', /log\.json has format version 2/]],
  },
  {
    what: 'the id of the log missing',
    damage: (folder) => rmSync(join(folder, 'log/log.json')),
    says: [['fault', /it is missing: the log has lost its id/]],
  },
  {
    what: 'the mark of the ends damaged',
    damage: (folder) =>
      editJson(join(folder, 'log/ends.json'), (content) => (content['ends'] = { [topic]: [9999, 0] })),
    says: [['fault', /ends\.json is damaged.*its checksum does not hold/]],
  },
  {
    what: 'the mark of the ends in a newer form',
    damage: (folder) => editJson(join(folder, 'log/ends.json'), (content) => (content['version'] = 2)),
    says: [['fault', /ends\.json has format version 2/]],
  },
  {
    what: 'stray files at every level',
    damage: (folder) => {
      writeFileSync(join(folder, 'notes.txt'), '')
      mkdirSync(join(folder, 'state'))
      writeFileSync(join(folder, 'log/ends.json.draft'), '')
      writeFileSync(join(folder, 'log/topics', topic, 'core'), '')
      writeFileSync(join(partition(folder), '00000000000000000000.log.draft'), '')
    },
    says: [
      ['warning', /holds "notes\.txt"/],
      ['warning', /holds a state of release 0\.1\.0/],
      ['warning', /"ends\.json\.draft" is no file of the log/],
      ['warning', /"core" is no file of the log/],
      ['warning', /"00000000000000000000\.log\.draft" is no file of the log/],
    ],
  },
  {
    what: 'the lock of a dead process',
    damage: (folder) =>
      writeFileSync(join(folder, 'log/lock'), JSON.stringify({ pid: 2 ** 30, startedAt: '1', nonce: 'x' })),
    says: [['warning', /the process that had it open died/]],
  },
]

const storeDamages: readonly Damage[] = [
  {
    what: 'a checkpoint beyond the end of the log',
    damage: (folder) => editCheckpoint(folder, ({ tracks }) => (tracks[0]!.sources[1]!.next += 1000)),
    says: [['fault', /checkpoint: the next offset of payments\.v1\/1 is \d+, beyond the log's end \d+/]],
  },
  {
    what: 'a checkpoint of outputs that are not there',
    damage: (folder) => editCheckpoint(folder, ({ outputs }) => (outputs[deadLetterTopic]![0]! += 5)),
    says: [['fault', /the known end of dead-letter-queue\/0 is \d+, beyond the log's end/]],
  },
  {
    what: 'a checkpoint of a partition that does not exist',
    damage: (folder) => editCheckpoint(folder, ({ tracks }) => (tracks[0]!.sources[1]!.partition = 7)),
    says: [['fault', /payments\.v1\/7 is \d+, and the log has no such partition/]],
  },
  {
    what: 'a counter of verdicts edited',
    damage: (folder) => editCheckpoint(folder, ({ tracks }) => (tracks[0]!.sources[0]!.counts.duplicate += 1)),
    says: [['fault', /law 4: payments, payments\.v1\/0: \d+ records, and .* = \d+/]],
  },
  {
    what: 'more records counted than there are',
    damage: (folder) =>
      editCheckpoint(folder, ({ tracks }) => {
        const { counts } = tracks[0]!.sources[0]!
        counts.records += 2
        counts.duplicate += 2
      }),
    says: [['fault', /law 4: .*: \d+ records have a verdict, and the next offset is \d+/]],
  },
  {
    what: 'a counter of a view edited',
    damage: (folder) => editCheckpoint(folder, ({ tracks, views }) => (views[tracks[0]!.views[0]!]!.filtered += 1)),
    says: [['fault', /law 4: payments: \d+ accepted, and in view [0-9a-f]{16} .* = \d+/]],
  },
  {
    what: 'more events counted as applied than the states have',
    damage: (folder) =>
      editCheckpoint(folder, ({ tracks, views }) => {
        const counts = views[tracks[0]!.views[0]!]!
        counts.applied -= 1
        counts.filtered += 1
      }),
    says: [['fault', /states: spending: its 7 states count \d+ events, and the checkpoint \d+/]],
  },
  {
    what: 'a checkpoint in a newer form',
    damage: (folder) => editCheckpoint(folder, (checkpoint) => ((checkpoint as { version: number }).version = 99)),
    says: [['fault', /store: the checkpoint: the checkpoint in .*store has format version 99; this release reads \d+/]],
  },
  {
    what: 'a checkpoint that is no JSON',
    damage: (folder) => withStore(folder, (store) => store.write([[checkpointKey, Buffer.from('{')]])),
    says: [['fault', /store: the checkpoint: /]],
  },
  {
    what: 'the store of another log',
    damage: (folder) => {
      rmSync(join(folder, 'store'), { recursive: true })
      mkdirSync(join(folder, 'store'))
      writeFileSync(join(folder, 'store/data.mdb'), readFileSync(join(other, 'store/data.mdb')))
    },
    says: [['fault', /store: the checkpoint: .*belongs to log/]],
  },
  {
    what: 'a store that was cut off',
    damage: (folder) => truncateSync(join(folder, 'store/data.mdb'), 9_000),
    says: [['fault', /store: it cannot be read: /]],
  },
  {
    what: 'a store that is something else',
    damage: (folder) => writeFileSync(join(folder, 'store/data.mdb'), Buffer.alloc(50_000, 7)),
    says: [['fault', /store: it cannot be read: /]],
  },
  {
    what: 'a byte of a state changed',
    damage: (folder) => editEntry(folder, states, (value) => (value[value.length >> 1]! ^= 255)),
    says: [['fault', /states: /]],
    deep: true,
  },
  {
    what: 'a state in a newer form',
    damage: (folder) => editEntry(folder, states, (value) => (value[0] = 200)),
    says: [['fault', /states: spending, entry [0-9a-f]+: it does not decode: .*format version 200/]],
  },
  {
    what: 'a state missing',
    damage: (folder) => withStore(folder, (store) => store.write([[entriesOf(store, states)[0]![0], null]])),
    says: [['fault', /states: spending: its 6 states count \d+ events/]],
  },
  {
    what: 'two states exchanged',
    damage: (folder) =>
      withStore(folder, async (store) => {
        const [[one, first], [another, second]] = entriesOf(store, states) as [
          [Uint8Array, Uint8Array],
          [Uint8Array, Uint8Array],
        ]
        await store.write([
          [one, second],
          [another, first],
        ])
      }),
    says: [['fault', /replay: spending: of 7 states 0 are missing and 2 differ, 0 of 7 stored have no event/]],
    deep: true,
  },
  {
    what: 'a state of a key that no event has',
    damage: (folder) =>
      withStore(folder, async (store) => {
        const [[key, value]] = entriesOf(store, states) as [[Uint8Array, Uint8Array]]
        await store.write([
          [key, null],
          [Buffer.concat([key.subarray(0, -1), Uint8Array.of(99)]), value],
        ])
      }),
    says: [['fault', /replay: spending: of 7 states 1 are missing and 0 differ, 1 of 7 stored have no event/]],
    deep: true,
  },
  {
    what: 'counters that agree with each other and with nothing else',
    damage: (folder) =>
      editCheckpoint(folder, ({ tracks }) => {
        const { counts } = tracks[0]!.sources[0]!
        counts.duplicate += 1
        counts.refused -= 1
      }),
    says: [
      ['fault', /dead-letter-queue: \d+ records of payments\.v1\/0 were refused, and \d+ of them are in dead-letter/],
      ['fault', /replay: payments, payments\.v1\/0: the store has duplicate \d+ instead of \d+, refused/],
    ],
    deep: true,
  },
  {
    what: 'a watermark edited',
    damage: (folder) => editCheckpoint(folder, ({ tracks }) => (tracks[0]!.sources[0]!.watermark += 1)),
    says: [
      ['fault', /ids: payments, payments\.v1\/0: the watermark is \d+, and of the ids the newest/],
      ['fault', /replay: .*a watermark of \d+ instead of \d+/],
    ],
    deep: true,
  },
  {
    what: 'all remembered ids missing',
    damage: (folder) =>
      withStore(folder, (store) => store.write(entriesOf(store, ids).map(([key]) => [key, null] as const))),
    says: [['fault', /ids: .*of the ids none is remembered/]],
  },
  {
    what: 'some remembered ids missing',
    damage: (folder) => withStore(folder, (store) => store.write([[entriesOf(store, ids)[0]![0], null]])),
    says: [['fault', /replay: .*: \d+ remembered ids are missing or differ/]],
    deep: true,
  },
  {
    what: 'remembered ids missing in the middle',
    damage: (folder) =>
      withStore(folder, async (store) => {
        const [[key, value]] = entriesOf(store, ids) as [[Uint8Array, Uint8Array]]
        const later = Uint8Array.from(key)
        later[later.length - 1]! += 2
        await store.write([[later, value]])
      }),
    says: [['fault', /ids: segment \d+ of [0-9a-f]+: the segment before it is \d+: some are missing/]],
  },
  {
    what: 'remembered ids in a newer form',
    damage: (folder) => editEntry(folder, ids, (value) => (value[0] = 9)),
    says: [['fault', /ids: segment \d+ of [0-9a-f]+: it does not decode: .*format version 9/]],
  },
  {
    what: 'open rejections changed',
    damage: (folder) => editEntry(folder, 4, (value) => (value[value.length - 1]! += 1)),
    says: [['fault', /replay: .*: the rejections that can still be replayed differ in the store/]],
    deep: true,
  },
  {
    what: 'open rejections in a newer form',
    damage: (folder) => editEntry(folder, 4, (value) => (value[0] = 9)),
    says: [['fault', /open rejections: [0-9a-f]+: they do not decode: .*format version 9/]],
  },
  {
    what: 'entries of a kind that a newer release has',
    damage: (folder) => withStore(folder, (store) => store.write([[Uint8Array.of(77, 1), Uint8Array.of(1)]])),
    says: [['fault', /store: 1 entries are of no kind that this release knows/]],
  },
  {
    what: 'entries of a view that is gone',
    damage: (folder) =>
      withStore(folder, (store) =>
        store.write([[Buffer.concat([Uint8Array.of(states), Buffer.alloc(9, 5)]), Uint8Array.of(1)]]),
      ),
    says: [['warning', /store: 1 entries belong to definitions that are not kept/]],
  },
]

const outputDamages: readonly Damage[] = [
  {
    what: 'a dead letter twice',
    damage: (folder) =>
      withLog(folder, async (log) => {
        const [record] = (await log.read(deadLetterTopic, 0, 0, 1)).records
        await log.append(deadLetterTopic, 0, [record!])
      }),
    says: [['fault', /dead-letter-queue: payments payments\.v1\/0@\d+ is there twice: dead-letter-queue\/0@0 and/]],
  },
  {
    what: 'a late event of a record that is not there',
    damage: (folder) =>
      withLog(folder, async (log) => {
        const [record] = (await log.read(lateTopic, 0, 0, 1)).records
        const headers = record!.headers.map(
          ([name, value]) => [name, name === 'millrace.offset' ? Buffer.from('100000') : value] as const,
        )
        await log.replace(lateTopic, 0, new Map([[0, { ...record!, headers }]]))
      }),
    says: [
      ['fault', /late-events\/0@0 came from payments payments\.v1\/0@100000, which is not in the log/],
      ['fault', /late-events: \d+ records of payments\.v1\/0 were late, and \d+ of them are in late-events/],
    ],
  },
  {
    what: 'a registry that cannot be read',
    damage: (folder) =>
      withLog(folder, async (log) => {
        await log.createTopic(registryTopic, { partitions: 1 })
        await log.append(registryTopic, 0, [{ key: null, value: Buffer.from('{}'), timestampMs: 0 }])
      }),
    says: [['fault', /registry: /]],
  },
]

async function editEntry(folder: string, kind: number, edit: (value: Uint8Array) => void): Promise<void> {
  await withStore(folder, async (store) => {
    const [[key, value]] = entriesOf(store, kind) as [[Uint8Array, Uint8Array]]
    edit(value)
    await store.write([[key, value]])
  })
}

async function withLog(
  folder: string,
  change: (log: Awaited<ReturnType<typeof openLog>>) => Promise<void>,
): Promise<void> {
  const log = await openLog(folder)
  try {
    await change(log)
  } finally {
    await log.close()
  }
}

const linesOf = ({ findings }: Diagnosis): string[] =>
  findings.map(({ status, check, what }) => `${status} ${check}: ${what}`)

describe('doctor finds a folder healthy', () => {
  test('that was closed, and says of each part how it is', async () => {
    const folder = copyOf(healthy)
    const before = contentsOf(folder)
    const diagnosis = await examineFolder({ folder, plan, deep: true })
    assert.deepEqual(
      linesOf(diagnosis).filter((line) => !line.startsWith('ok ')),
      [],
    )
    assert.ok(diagnosis.healthy)
    for (const check of ['folder', 'store', 'log', 'checkpoint', 'states', 'ids', 'law 4', 'late-events', 'replay']) {
      assert.ok(
        diagnosis.findings.some((one) => one.check === check),
        check,
      )
    }
    assert.deepEqual(contentsOf(folder), before, 'nothing was changed')
    assert.ok(segments(folder).length > 3)
  })

  test('in which a process runs, at any moment', async () => {
    const folder = freshFolder()
    const running = await run(folder)
    const sending = (async () => {
      for (let from = 0; from < 400; from += 40) await running.send(from, 40)
    })()
    for (let look = 0; look < 4; look++) {
      const diagnosis = await examineFolder({ folder, plan, deep: true })
      assert.deepEqual(
        linesOf(diagnosis).filter((line) => line.startsWith('fault')),
        [],
      )
      assert.match(linesOf(diagnosis)[0]!, /process \d+ has it open/)
    }
    await sending
    await running.engine.caughtUp()
    await running.close()
  })

  test('in which entities were forgotten', async () => {
    const folder = freshFolder()
    const running = await run(folder)
    await running.send(0, 80)
    await running.engine.caughtUp()
    await running.engine.forget('customer', encodeKey(['int'], [3]))
    await running.send(80, 40)
    await running.engine.caughtUp()
    await running.close()
    const diagnosis = await examineFolder({ folder, plan, deep: true })
    assert.deepEqual(
      linesOf(diagnosis).filter((line) => !line.startsWith('ok ')),
      [],
    )
    assert.ok(diagnosis.findings.some(({ check }) => check === 'replay'))
  })

  test('that never had a store', async () => {
    const folder = copyOf(healthy)
    rmSync(join(folder, 'store'), { recursive: true })
    const diagnosis = await examineFolder({ folder, plan, deep: true })
    assert.ok(diagnosis.healthy)
    assert.ok(linesOf(diagnosis).some((line) => /store: there is none: the next start builds it/.test(line)))
  })

  test('whose definitions are not at hand, and says what it did not look at', async () => {
    const diagnosis = await examineFolder({ folder: copyOf(healthy), deep: true })
    assert.ok(diagnosis.healthy)
    assert.ok(
      linesOf(diagnosis).some((line) => /warning states: 7 keys of view [0-9a-f]{16}, whose definition/.test(line)),
    )
    assert.ok(linesOf(diagnosis).some((line) => /warning replay: payments: its definition is not at hand/.test(line)))
  })
})

describe('doctor finds', { concurrency: 3 }, () => {
  const pure = pureLogDamages.map((one) => ({ ...one, logOnly: true }))
  for (const { what, damage, says, ...how } of [...pure, ...logDamages, ...storeDamages, ...outputDamages]) {
    const { deep = false, logOnly = false } = how
    test(what, async () => {
      const folder = copyOf(healthy)
      if (logOnly) rmSync(join(folder, 'store'), { recursive: true })
      await damage(folder)
      const before = contentsOf(folder)
      const diagnosis = await examineFolder({ folder, plan, deep })
      const lines = linesOf(diagnosis)
      for (const [status, pattern] of says) {
        assert.ok(
          lines.some((line) => line.startsWith(status) && pattern.test(line)),
          `${String(pattern)} in\n${lines.join('\n')}`,
        )
      }
      assert.equal(diagnosis.healthy, !says.some(([status]) => status === 'fault'), lines.join('\n'))
      assert.ok(diagnosis.findings.every(({ status, hint }) => (status === 'ok') === (hint === null)))
      assert.deepEqual(contentsOf(folder), before, 'nothing was changed')
    })
  }

  test('no data folder', async () => {
    await assert.rejects(examineFolder({ folder: freshFolder() }), { code: 'FOLDER_WITHOUT_LOG' })
  })
})

test('a start refuses a log that has lost what its checkpoint knows, and changes nothing', async () => {
  const folder = copyOf(healthy)
  // As a kill leaves it: no mark. The damage is in the last group, where a torn write would be.
  rmSync(join(folder, 'log/ends.json'))
  const newest = segments(folder).at(-1)!
  flip(newest, (size) => size - 3)
  const before = readFileSync(newest)
  await assert.rejects(millrace({ definitions: [risk], folder }), {
    code: 'LOG_CORRUPT',
    message: /were durable and are gone/,
  })
  assert.deepEqual(readFileSync(newest), before)
})
