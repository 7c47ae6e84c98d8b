import type { ClusterDescription } from '../../log/kafka/describe-cluster.ts'
import type { Findings } from './finding.ts'

export function checkBrokers({ brokers, replication, groupFault }: ClusterDescription, findings: Findings): void {
  for (const { id, address, trouble, groupProtocol } of brokers) {
    const check = `broker ${id} at ${address}`
    if (trouble !== null) {
      const hint =
        'Start it; or, if it runs, let its `advertised.listeners` name an address that can be reached from here.'
      findings.fault(check, `it does not answer: ${trouble}`, hint)
    } else if ((groupProtocol ?? 0) < 1) {
      const hint = 'Nothing to do; from Kafka 4.0 on partitions move without a pause of the whole group.'
      findings.warn(check, 'it answers, and has groups by the classic protocol only', hint)
    } else findings.ok(check, 'it answers, and has groups by KIP-848')
  }
  if (brokers.length < replication) {
    const hint = 'Add brokers, or ask for fewer copies with `--kafka-replication`.'
    const what = `${brokers.length} broker(s), and topics that are created are to have ${replication} copies`
    findings.fault('cluster', what, hint)
  }
  if (groupFault !== null) findings.fault('groups', groupFault.message, groupFault.hint)
}
