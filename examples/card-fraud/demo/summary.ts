import type { Session } from './session.ts'
import { isBalanced, type Snapshot, totalsOf } from './snapshot.ts'
import { proofText } from './plain.ts'
import { count, instant, milliseconds, pairLines, scoreLines } from './text.ts'

export type Check = { readonly text: string; readonly passed: boolean }

/** What must hold when the demo ends. `whole`: it ran for as long as it was asked to, so that everything has happened. */
export function checksOf(session: Session, snapshot: Snapshot, whole: boolean): Check[] {
  const { counts, proof } = snapshot
  const { mill, feed, rejections } = session
  const { records, accepted, duplicate, late, refused } = totalsOf(counts)
  const written = counts.sources.reduce((sum, { partition }) => sum + mill.log.end('payments', partition), 0)
  const checks = [
    {
      text: 'every record of the log has one verdict',
      passed: records === written && isBalanced(counts),
    },
    {
      text: 'everything that was sent is in the log',
      passed: records >= feed.messages,
    },
    {
      text: 'every refused event is in the dead-letter-queue',
      passed: rejections.counts.refused === refused,
    },
    {
      text: 'every late event is in late-events',
      passed: rejections.counts.late === late,
    },
    {
      text: 'every sampled vector equals its training row',
      passed: proof.compared > 0 && proof.different === 0,
    },
  ]
  if (session.isLive) checks.push(...scoreChecks(snapshot))
  const happened = accepted > 0 && duplicate > 0 && late > 0 && refused > 0
  return whole ? [{ text: 'events of every verdict flowed', passed: happened }, ...checks] : checks
}

/** Below this a model would hardly tell frauds from other payments; in training both had about 0.9. */
const aucMin = 0.7
const fraudsMin = 20

function scoreChecks({ scores }: Snapshot): Check[] {
  const { champion, challenger, swappedAt, served, whileSwapping, failed, mixed, auc } = scores
  const tallies = [champion, challenger]
  const tells = Object.values(auc).every((area) => area === null || area >= aucMin)
  const frauds = champion.caught + champion.missed
  return [
    {
      text: 'every live payment that was asked about has a score of both models',
      passed: tallies.every(({ scored, unscored }) => scored > 0 && unscored === 0),
    },
    {
      text: `the challenger took over, was rolled back and took over again: of ${count(served)} answers, ${count(whileSwapping)} of them meanwhile, none failed, and each score is its version's own`,
      passed: swappedAt !== null && whileSwapping > 0 && failed === 0 && mixed === 0,
    },
    {
      text: 'the models tell frauds from other payments',
      passed: frauds < fraudsMin || tells,
    },
  ]
}

/** The end of the demo in plain text. */
export function summaryText(session: Session, snapshot: Snapshot, checks: readonly Check[]): string {
  const { counts, proof, rates, elapsedSeconds, latency, simulatedAt } = snapshot
  const { records, accepted, duplicate, late, refused } = totalsOf(counts)
  const reasons = session.rejections.reasons.map(([reason, letters]) => `${count(letters)} ${reason}`)
  const lines = [
    `payments    ${count(session.feed.payments)} in ${elapsedSeconds.toFixed(1)} s, up to ${instant(simulatedAt)} UTC: ${count(rates.overall)} accepted per second`,
    `records     ${count(records)} = ${count(accepted)} accepted + ${count(duplicate)} duplicate + ${count(late)} late + ${count(refused)} refused`,
    ...Object.entries(counts.views).map(
      ([view, { applied, filtered, unkeyed }]) =>
        `view        ${view}: ${count(applied)} applied + ${count(filtered)} filtered + ${count(unkeyed)} unkeyed`,
    ),
    `refused     ${reasons.length === 0 ? 'none' : reasons.join(', ')}`,
    `latency     batch in the features after ${milliseconds(latency.visibleMsP50)} (p50), ${milliseconds(latency.visibleMsP99)} (p99); vector read in ${milliseconds(latency.readMsP50)} (p50)`,
    ...scoreLines(snapshot.scores).map((line) => `model       ${line}`),
    `proof       ${proofText(snapshot)}`,
    ...proof.differing.flatMap((pair) => ['', ...pairLines(pair)]),
    '',
    ...checks.map(({ text, passed }) => `${passed ? 'ok  ' : 'FAILED'}  ${text}`),
  ]
  return lines.join('\n')
}
