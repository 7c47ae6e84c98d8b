import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { type Circumstances, circumstances } from '../record.ts'
import type { Injected, KafkaCampaign } from './campaign.ts'
import type { Verified } from './verify.ts'

/** Campaigns that were run one after the other, each with nothing lost and nothing doubled: else it throws. */
export type KafkaChaosRecord = {
  readonly kind: 'kafka chaos'
  readonly runs: readonly (Circumstances & KafkaCampaign)[]
}

/** Adds a campaign to those that are in the file. */
export function addToRecord(file: string, campaign: KafkaCampaign, command: string): void {
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as KafkaChaosRecord).runs : []
  const injected = campaign.injected.map(({ kind, recoveryMs }) => ({ kind, recoveryMs: Math.round(recoveryMs) }))
  const seconds = Math.round(campaign.seconds)
  const runs = [...before, { ...circumstances(command), ...campaign, seconds, injected }]
  const record: KafkaChaosRecord = { kind: 'kafka chaos', runs }
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`)
}

/** Kind → recovery times, sorted. */
export function recoveriesByKind(injected: readonly Injected[]): ReadonlyMap<string, readonly number[]> {
  const groups = Map.groupBy(injected, ({ kind }) => kind)
  return new Map([...groups].map(([kind, of]) => [kind, of.map(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b)]))
}

export function sumOfVerified(all: readonly Verified[]): Verified {
  const sum = { records: 0, values: 0, deadLetters: 0, late: 0, emitted: 0, processed: 0, sentAgain: 0, repeated: 0 }
  for (const one of all) for (const name of Object.keys(sum) as (keyof Verified)[]) sum[name] += one[name]
  return sum
}
