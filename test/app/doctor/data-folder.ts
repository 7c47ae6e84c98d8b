import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { sha256 } from '../../../src/base/hash.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { compilePlan } from '../../../src/app/load-plan.ts'
import { Ingestion } from '../../../src/app/ingestion.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { openEmbeddedOnlineStore } from '../../../src/store/online/embedded/embedded-online-store.ts'
import type { OnlineStore, StoreChange } from '../../../src/store/online/online-store.ts'
import type { Checkpoint } from '../../../src/stream/checkpoint.ts'
import { Engine } from '../../../src/stream/engine.ts'
import { checkpointKey } from '../../../src/stream/store-keys.ts'
import { payments, risk } from '../../upgrade/definitions.ts'

export const plan: Plan = compilePlan([risk])
export const topic = 'payments.v1'

const bases: string[] = []
process.on('exit', () => bases.forEach((base) => rmSync(base, { recursive: true, force: true })))

export function freshFolder(): string {
  const base = mkdtempSync(join(tmpdir(), 'millrace-doctor-'))
  bases.push(base)
  return join(base, 'data')
}

/** Small segments, so that a partition has several. */
export function openLog(folder: string, segmentBytes = 4_000): Promise<EmbeddedLog> {
  return openEmbeddedLog({ folder: join(folder, 'log'), clock: systemClock, segmentBytes })
}

export type Running = {
  readonly log: EmbeddedLog
  readonly engine: Engine
  send(from: number, count: number): Promise<void>
  close(): Promise<void>
}

export async function run(folder: string, checkpointMs = 20): Promise<Running> {
  const log = await openLog(folder)
  const store = await openEmbeddedOnlineStore({ folder: join(folder, 'store') })
  const options = { plan, log, store, clock: systemClock, folder, partitions: 2, checkpointMs, keysMax: 100 }
  const ingestion = new Ingestion({ ...options, writerOf: () => Promise.resolve(undefined) })
  const engine = await Engine.open(options)
  engine.start()
  return {
    log,
    engine,
    send: async (from, count) => {
      for (let index = from; index < from + count; index++) await ingestion.ingest(plan.streams[0]!, [eventAt(index)])
    },
    close: async () => {
      await engine.close()
      await store.close()
      await log.close()
    },
  }
}

const start = Date.UTC(2026, 0, 1)
const countries = ['NL', 'DE', null, 'FR']

/** Some late, some twice, some malformed. */
export function eventAt(index: number): Uint8Array {
  const at = start + index * 600_000 - (index % 17 === 3 ? 7_200_000 : (index % 5) * 1_000)
  return Buffer.from(
    JSON.stringify({
      paymentId: `p${index % 23 === 7 ? index - 1 : index}`,
      customerId: index % 7,
      amount: index % 31 === 5 ? 'much' : index * 1.25,
      country: countries[index % 4],
      at: new Date(at).toISOString(),
    }),
  )
}

/** A folder that was closed: 200 events of `payments` in two partitions. */
export async function writeHealthy(folder: string): Promise<void> {
  const running = await run(folder, 600_000)
  for (let from = 0; from < 200; from += 20) {
    await running.send(from, 20)
    await running.engine.caughtUp()
    await running.engine.checkpoint()
  }
  await running.close()
}

export function copyOf(folder: string): string {
  const copy = freshFolder()
  cpSync(folder, copy, { recursive: true })
  return copy
}

export async function withStore(folder: string, change: (store: OnlineStore) => Promise<void>): Promise<void> {
  const store = await openEmbeddedOnlineStore({ folder: join(folder, 'store') })
  try {
    await change(store)
  } finally {
    await store.close()
  }
}

export function entriesOf(store: OnlineStore, kind: number): [Uint8Array, Uint8Array][] {
  return Array.from(store.range(Uint8Array.of(kind), Uint8Array.of(kind + 1)), ([key, value]) => [key, value])
}

type Writable<T> = T extends (infer Member)[] | readonly (infer Member)[]
  ? Writable<Member>[]
  : T extends object
    ? { -readonly [Name in keyof T]: Writable<T[Name]> }
    : T

/** Edits the checkpoint as JSON. */
export async function editCheckpoint(
  folder: string,
  edit: (checkpoint: Writable<Checkpoint>) => unknown,
): Promise<void> {
  await withStore(folder, async (store) => {
    const checkpoint = JSON.parse(Buffer.from(store.get(checkpointKey)!).toString()) as Writable<Checkpoint>
    edit(checkpoint)
    await store.write([[checkpointKey, Buffer.from(JSON.stringify(checkpoint))] satisfies StoreChange])
  })
}

/** Path → checksum of every file but the one in which running processes are listed. */
export function contentsOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
  const files = names.filter((path) => statSync(path).isFile() && !path.endsWith('store/lock.mdb'))
  return Object.fromEntries(files.sort().map((path) => [relative(folder, path), sha256(readFileSync(path))]))
}

export { payments }
