/** Plants bugs in the members' sources, one after the other, and looks whether a campaign on one broker finds them. */
import { writeFileSync } from 'node:fs'
import { clusterMutants } from '../../simulation/cluster/mutants.ts'
import { circumstances } from '../record.ts'
import { runKafkaCampaign } from './campaign.ts'
import type { FaultKind } from './faults.ts'

/** Bugs of the cluster's simulation that real faults meet within a minute or two, and the faults that bring them out. */
const hunted: Readonly<Record<string, readonly FaultKind[]>> = {
  'an event that was folded before is folded again': ['worker killed', 'zombie'],
  'how far sources were folded is not restored': ['worker killed'],
  'counters of views are not restored': ['worker killed'],
  'a mark is dropped': ['worker killed'],
  'remembered ids are not in the checkpoint of a source': ['store wiped'],
  'where sending was is not restored': ['worker killed'],
  'a failed send is forgotten': ['answers cut'],
  'a checkpoint does not wait for what was sent': ['worker killed', 'answers delayed'],
  'a checkpoint is kept before it is in the topic': ['worker killed', 'answers delayed'],
  'the epoch of a commit is not checked': ['zombie'],
  'the epoch of an entry is not checked': ['zombie'],
  'a task goes on after it was taken over': ['zombie'],
  'a commit is not read back': ['zombie'],
  'another checkpoint may follow one that failed': ['answers cut'],
}

export type KafkaMutants = { readonly found: readonly { readonly name: string; readonly seconds: number | null }[] }

/** Long enough for each kind of fault several times, and short enough for all mutants. */
const durationMs = 45_000

export async function huntKafkaMutants(seed: number, out: string | null): Promise<void> {
  const found: { name: string; seconds: number | null; faults: number; by: string }[] = []
  for (const [name, kinds] of Object.entries(hunted)) {
    if (!clusterMutants.some((mutant) => mutant.name === name)) throw new Error(`there is no mutant "${name}"`)
    const startedMs = performance.now()
    let faults = 0
    const by = await runKafkaCampaign({
      seed,
      nodes: 1,
      faultsMin: 3,
      durationMs,
      partMs: Number.POSITIVE_INFINITY,
      perSecond: 60,
      sessionMs: 2_000,
      downMsMax: 1_000,
      freshMs: 2_000,
      quietMs: 300,
      recoveryMsMax: 40_000,
      kinds,
      mutant: name,
      log: (text) => {
        if (text.includes('well again')) faults += 1
      },
    }).then(
      () => null,
      (error: unknown) => String((error as Error).cause ?? error).slice(0, 200),
    )
    const seconds = by === null ? null : Math.round((performance.now() - startedMs) / 1_000)
    found.push({ name, seconds, faults, by: by ?? '' })
    console.log(`${seconds === null ? 'NOT FOUND' : `${seconds} s`.padStart(9)}  ${name}  ${by ?? ''}`)
  }
  const command = `npm run chaos -- --kafka --mutants --seed ${seed}`
  if (out !== null) writeFileSync(out, `${JSON.stringify({ ...circumstances(command), found }, null, 2)}\n`)
}
