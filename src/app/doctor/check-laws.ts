import type { LogAudit } from '../../log/embedded/audit.ts'
import type { Checkpoint, SourceProgress, TrackProgress } from '../../stream/checkpoint.ts'
import { rebuildHint } from './check-store.ts'
import type { Findings } from './finding.ts'

/** Law 4: every record has one verdict, and every accepted event one fate in each view. */
export function checkLaws(checkpoint: Checkpoint, audit: LogAudit, findings: Findings): void {
  let [wrong, records, views] = [0, 0, 0]
  const fault = (what: string): void => {
    wrong += 1
    findings.fault('law 4', what, rebuildHint)
  }
  for (const track of checkpoint.tracks) {
    for (const source of track.sources) {
      records += source.counts.records
      checkSource(track, source, { audit, fault })
    }
    const accepted = track.sources.reduce((sum, { counts }) => sum + counts.accepted, 0)
    for (const fingerprint of track.views) {
      const counts = checkpoint.views[fingerprint]
      if (counts === undefined) {
        fault(`view ${fingerprint} of ${track.name} has no counters`)
        continue
      }
      views += 1
      const { applied, filtered, unkeyed, forgotten, before } = counts
      const sum = applied + filtered + unkeyed + forgotten + before
      if (sum === accepted) continue
      const parts = `${applied} applied + ${filtered} filtered + ${unkeyed} unkeyed + ${forgotten} forgotten + ${before} before`
      fault(`${track.name}: ${accepted} accepted, and in view ${fingerprint} ${parts} = ${sum}`)
    }
  }
  if (wrong === 0) findings.ok('law 4', `${records} records have one verdict each, ${views} views account for them`)
}

type Place = { readonly audit: LogAudit; readonly fault: (what: string) => void }

function checkSource({ name }: TrackProgress, source: SourceProgress, { audit, fault }: Place): void {
  const { topic, partition, next, counts } = source
  const { records, accepted, duplicate, late, refused } = counts
  const at = `${name}, ${topic}/${partition}`
  const sum = accepted + duplicate + late + refused
  if (records !== sum) {
    fault(
      `${at}: ${records} records, and ${accepted} accepted + ${duplicate} duplicate + ${late} late + ${refused} refused = ${sum}`,
    )
  }
  if (counts.conflicts > duplicate) fault(`${at}: ${counts.conflicts} of ${duplicate} duplicates conflict`)
  const place = audit.partitions.find((one) => one.topic === topic && one.partition === partition)
  if (place === undefined) return
  // One record that is no event may end a history. Where retention has removed any, nobody knows where reading began.
  const [most, least] = [next, place.start === 0 ? next - 1 : Math.max(0, next - place.start - 1)]
  if (records > most || records < least) {
    fault(`${at}: ${records} records have a verdict, and the next offset is ${next} of a log from ${place.start} on`)
  }
}
