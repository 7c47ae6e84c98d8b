import type { Clock } from '../../base/clock.ts'
import { formatDuration } from '../../base/duration.ts'
import type { KafkaTopicDescription } from '../../log/kafka/describe-cluster.ts'
import type { Log } from '../../log/log.ts'
import type { StreamPlan } from '../../plan/plan.ts'
import { retentionFaults } from '../../plan/retention.ts'
import { retentionOf } from '../cluster-topics.ts'
import type { Findings } from './finding.ts'

/** Whether a stream's topic keeps its records as long as its views look back. */
export function checkRetention(stream: StreamPlan, found: KafkaTopicDescription, findings: Findings): void {
  const check = `retention of ${stream.topic}`
  const keptMs = retentionOf(found)
  const faults = keptMs === null ? [] : retentionFaults(keptMs, stream, stream.views)
  for (const { fault, hint } of faults) findings.fault(check, `stream ${stream.name}: ${fault}`, `${hint}.`)
  const bytes = Number(found.configs['retention.bytes'] ?? -1)
  if (bytes >= 0) {
    const what = `stream ${stream.name}: retention.bytes is ${bytes}, so under load records go before their time`
    findings.warn(check, what, 'Set retention.bytes=-1, or watch that the disk suffices for the time.')
  } else if (faults.length === 0) {
    const kept = keptMs === null ? 'for ever' : `for ${formatDuration(keptMs)}`
    findings.ok(check, `stream ${stream.name}: kept ${kept}, which its windows and lateness fit into`)
  }
}

const aheadMaxMs = 5_000

/**
 * Whether the newest records are ahead of the clock here. Kafka tells nobody its time: what brokers or producers wrote
 * into the records is all there is to compare with.
 */
export async function checkLead({ topic }: StreamPlan, log: Log, clock: Clock, findings: Findings): Promise<void> {
  const partitions = log.topics().find((one) => one.topic === topic)!.partitions
  let newestMs: number | null = null
  for (let partition = 0; partition < partitions; partition++) {
    const [start, end] = [log.start(topic, partition), log.end(topic, partition)]
    if (end === start) continue
    const { records } = await log.read(topic, partition, Math.max(start, end - 1), 1)
    for (const { timestampMs } of records) newestMs = Math.max(newestMs ?? timestampMs, timestampMs)
  }
  if (newestMs === null) return
  const aheadMs = newestMs - clock.now()
  const check = `clock against ${topic}`
  if (aheadMs <= aheadMaxMs) findings.ok(check, 'its newest records are not ahead of the clock here')
  else {
    const what = `its newest record is ${formatDuration(Math.round(aheadMs / 1_000) * 1_000)} ahead of the clock here`
    const hint = 'Reads without `asOf` miss it until then. Let brokers, producers and this machine keep time by NTP.'
    findings.warn(check, what, hint)
  }
}
