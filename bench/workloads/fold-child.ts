/** Folds events as its JSON argument says, in a process of its own, and prints the seconds of CPU that the later ones took. */
import process from 'node:process'
import { PlainFold } from '../peers/plain-fold.ts'
import { FoldRun } from './fold-run.ts'
import { fraudFeatures, makePayments, type Workload } from './payments.ts'

export type FoldTask = {
  readonly entrant: 'millrace' | 'plain Maps'
  readonly workload: Workload
  /** Of the events, those that make the first states, and what is compiled while running. */
  readonly before: number
}

const { entrant, workload, before } = JSON.parse(process.argv[2]!) as FoldTask
const raw = makePayments(workload)
process.stdout.write(String(entrant === 'millrace' ? foldWithMillrace() : foldPlainly()))

function foldWithMillrace(): number {
  const fold = new FoldRun([fraudFeatures])
  fold.take(raw.slice(0, before))
  const seconds = fold.take(raw.slice(before))
  if (fold.counts.accepted !== raw.length) throw new Error('not every event was accepted')
  return seconds
}

function foldPlainly(): number {
  const fold = new PlainFold()
  fold.takeAll(raw.slice(0, before))
  return fold.takeAll(raw.slice(before))
}
