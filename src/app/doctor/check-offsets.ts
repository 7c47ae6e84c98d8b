import type { Checkpoint } from '../../stream/checkpoint.ts'
import { rebuildHint } from './check-store.ts'
import type { Findings } from './finding.ts'

type Places = {
  readonly partitions: readonly {
    readonly topic: string
    readonly partition: number
    readonly start: number
    readonly end: number
  }[]
}

/** A checkpoint must lie within its log: where it reads on, and where it looks for its outputs. */
export function checkOffsets(checkpoint: Checkpoint, audit: Places, findings: Findings): void {
  let wrong = 0
  const check = (what: string, { topic, partition, offset }: { topic: string; partition: number; offset: number }) => {
    const place = audit.partitions.find((one) => one.topic === topic && one.partition === partition)
    const at = `${what} of ${topic}/${partition} is ${offset}`
    if (place !== undefined && offset >= place.start && offset <= place.end) return
    wrong += 1
    if (place === undefined) findings.fault('checkpoint', `${at}, and the log has no such partition`, lostHint)
    else if (offset > place.end) findings.fault('checkpoint', `${at}, beyond the log's end ${place.end}`, lostHint)
    else
      findings.fault('checkpoint', `${at}, before the log's start ${place.start}: retention has overtaken it`, goneHint)
  }
  for (const { sources } of checkpoint.tracks) {
    for (const { topic, partition, next } of sources) check('the next offset', { topic, partition, offset: next })
  }
  for (const [topic, ends] of Object.entries(checkpoint.outputs)) {
    ends.forEach((end, partition) => {
      const start = audit.partitions.find((one) => one.topic === topic && one.partition === partition)?.start ?? 0
      // Outputs may be past their retention before anything looks for them.
      check('the known end', { topic, partition, offset: Math.max(end, start) })
    })
  }
  if (wrong > 0) return
  const sources = checkpoint.tracks.flatMap((track) => track.sources)
  const behind = sources.reduce((sum, { topic, partition, next }) => {
    const place = audit.partitions.find((one) => one.topic === topic && one.partition === partition)
    return sum + (place === undefined ? 0 : place.end - next)
  }, 0)
  const rest = behind === 0 ? 'all of the log is in it' : `${behind} records are not in it yet`
  findings.ok('checkpoint', `its offsets lie within the log; ${rest}`)
}

const lostHint = `The log lost records, or is not the one. Restore the folder from a backup, or accept the loss: ${rebuildHint}`
const goneHint = `Records were removed before they were read. ${rebuildHint}`
