import { type Snapshot, totalsOf } from './snapshot.ts'
import { count, featuresOf, fraudNames, instant, milliseconds, scoreLines } from './text.ts'

/** One moment in a few lines without colours or cursor: for files, pipes and logs of builds. */
export function plainText(snapshot: Snapshot): string {
  const { counts, rates, latency, warmUp } = snapshot
  const { records, accepted, duplicate, late, refused } = totalsOf(counts)
  const phase = warmUp === null ? `${count(snapshot.speed)} x real time` : `history ${Math.floor(100 * warmUp)} %`
  const [letter] = snapshot.deadLetters
  return [
    `${instant(snapshot.simulatedAt)}  ${phase}  ${count(rates.now)} payments/s, ${count(rates.overall)} overall`,
    `  records      ${count(records)} = ${count(accepted)} accepted + ${count(duplicate)} duplicate + ${count(late)} late + ${count(refused)} refused`,
    ...Object.entries(counts.views).map(
      ([view, { applied, filtered, unkeyed }]) =>
        `  view         ${view}: ${count(accepted)} = ${count(applied)} applied + ${count(filtered)} filtered + ${count(unkeyed)} unkeyed`,
    ),
    ...snapshot.payments.slice(0, 2).map((scored) => {
      const { c_nb_1d, c_nb_30d, c_avg_30d, t_risk_30d } = featuresOf(scored)
      const { customerId, terminalId, amount, scenario } = scored.payment
      const truth = scenario === 0 ? '' : `, fraud: ${fraudNames[scenario]}`
      return `  payment      ${amount} of customer ${customerId} at terminal ${terminalId}: c_nb_1d ${String(c_nb_1d)}, c_nb_30d ${String(c_nb_30d)}, c_avg_30d ${String(c_avg_30d)}, t_risk_30d ${String(t_risk_30d)}${scored.score === null ? '' : `, score ${scored.score.toFixed(2)}`}${truth}`
    }),
    ...(letter === undefined
      ? []
      : [`  dead letter  ${letter.topic}/${letter.partition}@${letter.offset} ${letter.reason}`]),
    `  latency      visible after ${milliseconds(latency.visibleMsP50)} (p50), ${milliseconds(latency.visibleMsP99)} (p99), vector read in ${milliseconds(latency.readMsP50)} (p50)`,
    ...scoreLines(snapshot.scores).map((line) => `  models       ${line}`),
    `  proof        ${proofText(snapshot)}`,
  ].join('\n')
}

export function proofText({ proof }: Pick<Snapshot, 'proof'>): string {
  const { compared, different } = proof
  return `${count(compared)} sampled vectors compared with training rows: ${count(compared - different)} equal, ${count(different)} different`
}
