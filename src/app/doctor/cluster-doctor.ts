import { type Clock, systemClock } from '../../base/clock.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'
import type { Log } from '../../log/log.ts'
import type { Plan } from '../../plan/plan.ts'
import { clusterTopics, describeKafka } from '../cluster-topics.ts'
import { type LogPlace, openLog } from '../open-log.ts'
import { openRegistry } from '../versions.ts'
import { checkBrokers } from './check-brokers.ts'
import { checkClusterTopic } from './check-cluster-topics.ts'
import { checkOffsets } from './check-offsets.ts'
import { checkLead, checkRetention } from './check-sources.ts'
import { openStore } from './check-store.ts'
import { type Finding, Findings } from './finding.ts'

export type ClusterDoctorOptions = {
  readonly place: LogPlace
  /** Where the state of a process lies, if it lies here. */
  readonly folder: string
  /** Of the definitions at hand. Default: those that are applied. */
  readonly plan?: Plan
  readonly clock?: Clock
  readonly onFinding?: (finding: Finding) => void
}

export type ClusterDiagnosis = {
  readonly brokers: string
  readonly healthy: boolean
  readonly findings: readonly Finding[]
}

/** Checks a log in Kafka, and changes nothing. Whatever is wrong is a finding, also that nobody answers. */
export async function examineCluster(options: ClusterDoctorOptions): Promise<ClusterDiagnosis> {
  const { place, clock = systemClock, onFinding = () => undefined } = options
  const findings = new Findings(onFinding)
  const diagnosis = (): ClusterDiagnosis => {
    return { brokers: place.options.brokers, healthy: findings.healthy, findings: findings.all }
  }
  try {
    const cluster = await describeKafka(place, clock)
    checkBrokers(cluster, findings)
    const log = await openLog(options.folder, place, clock)
    try {
      const plan = options.plan ?? (await appliedPlan(log, findings))
      if (plan === null) return diagnosis()
      const topics = clusterTopics(plan, cluster, { namespace: place.namespace, partitions: 1 })
      for (const one of topics) checkClusterTopic(one, isSource(plan, one.topic), findings)
      const sources = plan.streams.filter(({ topic }) => log.topics().some((one) => one.topic === topic))
      for (const stream of sources) {
        checkRetention(stream, topics.find(({ topic }) => topic === stream.topic)!.found!, findings)
        await checkLead(stream, log, clock, findings)
      }
      await checkProgress(options.folder, log, findings)
    } finally {
      await log.close()
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    findings.fault('cluster', messageOf(error), error.hint)
  }
  return diagnosis()
}

function isSource(plan: Plan, topic: string): boolean {
  return plan.streams.some((stream) => stream.topic === topic)
}

async function appliedPlan(log: Log, findings: Findings): Promise<Plan | null> {
  const registry = await openRegistry(log)
  if (registry.applied === null) {
    const hint =
      'Apply definitions with `millrace apply --kafka`, or give the module: `millrace doctor definitions.ts`.'
    findings.warn('registry', 'no definitions are applied here, so nobody knows what topics are needed', hint)
    return null
  }
  findings.ok('registry', `version ${registry.number} of the definitions is the last applied`)
  return registry.compiled(registry.number).plan
}

/** How far the process whose state is in the folder has come, and whether retention has overtaken it. */
async function checkProgress(folder: string, log: Log, findings: Findings): Promise<void> {
  const found = await openStore({ folder, logId: log.id }, findings)
  if (found === null) return
  try {
    if (found.checkpoint === null) return
    const partitions = log.topics().flatMap(({ topic, partitions: count }) =>
      Array.from({ length: count }, (_, partition) => {
        return { topic, partition, start: log.start(topic, partition), end: log.end(topic, partition) }
      }),
    )
    checkOffsets(found.checkpoint, { partitions }, findings)
    for (const { topic, partition, next } of found.checkpoint.tracks.flatMap(({ sources }) => sources)) {
      const place = partitions.find((one) => one.topic === topic && one.partition === partition)
      if (place === undefined || next < place.start) continue
      const lag = place.end - next
      findings.ok(`lag ${topic}/${partition}`, lag === 0 ? 'none' : `${lag} records that the checkpoint has not seen`)
    }
  } finally {
    await found.store.close()
  }
}
