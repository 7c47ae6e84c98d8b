import type { KafkaTopicDescription, TopicOperation } from '../../log/kafka/describe-cluster.ts'
import { type ClusterTopic, retentionOf, topicText } from '../cluster-topics.ts'
import type { Findings } from './finding.ts'

/** One topic that the plan needs: whether it is there, safe, and open to this client. */
export function checkClusterTopic(
  { name, planned, found, differences }: ClusterTopic,
  isSource: boolean,
  findings: Findings,
): void {
  const check = `topic ${name}`
  const findingsBefore = findings.all.length
  if (found === null) {
    const hint =
      '`millrace apply --kafka` creates what is missing, and a process of the cluster what it hands to others. A topic that was there has lost all.'
    findings.fault(check, `it is not there; it would have ${topicText(planned)}`, hint)
    return
  }
  if (found.fault !== null) {
    findings.fault(check, found.fault.message, found.fault.hint)
    return
  }
  if (found.leaderless > 0) {
    const what = `${found.leaderless} of ${found.partitions} partitions have no leader: nothing can be read or written there`
    findings.fault(check, what, 'Start the brokers that hold their copies.')
  } else if (found.underReplicated > 0) {
    const what = `${found.underReplicated} of ${found.partitions} partitions lack copies in sync`
    findings.warn(check, what, 'Look for a broker that is down or slow.')
  }
  const inSync = Number(found.configs['min.insync.replicas'])
  const alter = `\`kafka-configs --alter --topic ${name} --add-config\``
  if (inSync > found.replication) {
    const what = `min.insync.replicas is ${inSync} and there are ${found.replication} copies: every append is refused`
    findings.fault(check, what, `Add copies, or lower it with ${alter}.`)
  } else if (found.replication > 1 && inSync === found.replication) {
    const what = `min.insync.replicas is ${inSync} of ${found.replication} copies: with any broker down appends wait`
    findings.warn(check, what, `Lower it by one with ${alter}, or add a copy.`)
  } else if (found.replication === 1) {
    findings.warn(check, 'there is one copy: losing its disk loses it', 'Have three copies, unless it may be lost.')
  } else if (inSync === 1) {
    const what = 'min.insync.replicas is 1: an acknowledged record may be on a single disk'
    findings.warn(check, what, `Set it to ${found.replication - 1} with ${alter}.`)
  }
  const policy = found.configs['cleanup.policy'] ?? ''
  if (planned.configs['cleanup.policy'] === 'compact') checkCompaction(found, alter, findings)
  else if (policy.includes('compact')) {
    const what = `cleanup.policy is ${policy}: of the records with one key only the newest stay`
    const hint = isSource
      ? 'Windows need all of them: read from a topic that is not compacted, unless each key comes once.'
      : `Nothing in it may go: set cleanup.policy=delete with ${alter}.`
    if (isSource) findings.warn(check, what, hint)
    else findings.fault(check, what, hint)
  } else if (!isSource && retentionOf(found) !== null && retentionOf(planned) === null) {
    const what = `it is kept for ${topicText(found).split('kept for ')[1]}, and what is in it is needed for ever`
    findings.warn(check, what, `Set retention.ms=-1 with ${alter}.`)
  }
  const missing = needed.filter((operation) => !found.operations.includes(operation))
  for (const operation of missing) {
    const hint = `An ACL is missing: \`kafka-acls --add --allow-principal User:NAME --operation ${operation} --topic ${name}\`.`
    // Whoever only computes from a topic that others write may live without.
    if (operation === 'Write' && isSource) {
      findings.warn(check, 'this client may not write it: events can be sent by others only', hint)
    } else findings.fault(check, `this client may not ${operation.toLowerCase()} it`, hint)
  }
  if (findings.all.length > findingsBefore) return
  const rest = differences.length === 0 ? '' : `; a new one would differ: ${differences.join(', ')}`
  findings.ok(check, `${topicText(found)}${rest}`)
}

const compactionLagMinMs = 60_000

/** Of states: only compaction keeps them from growing for ever, and only without deletion are they whole. */
function checkCompaction({ topic, configs }: KafkaTopicDescription, alter: string, findings: Findings): void {
  const [policy, lagMs] = [configs['cleanup.policy'] ?? '', configs['min.compaction.lag.ms']]
  if (policy !== 'compact') {
    const hint = `Set cleanup.policy=compact with ${alter}. What was deleted is rebuilt from the events.`
    findings.fault(`topic ${topic}`, `cleanup.policy is ${policy}, and states are kept only by compact`, hint)
  }
  if (Number(lagMs) < compactionLagMinMs) {
    const what = `min.compaction.lag.ms is ${lagMs}: a state may be compacted away before the checkpoint that it belongs to is confirmed`
    findings.warn(`topic ${topic}`, what, 'Let it be an hour, which is many checkpoints.')
  }
}

const needed: readonly TopicOperation[] = ['Read', 'Write', 'Describe']
