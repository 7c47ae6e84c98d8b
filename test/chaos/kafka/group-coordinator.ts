import { findCoordinatorV4, FindCoordinatorKeyTypes } from '@platformatic/kafka'
import { systemClock } from '../../../src/base/clock.ts'
import { Cluster } from '../../../src/log/kafka/cluster.ts'
import { kafkaSettings } from '../../../src/log/kafka/kafka-options.ts'

/** The node that keeps a group. */
export async function groupCoordinator(brokers: string, group: string): Promise<number> {
  const cluster = new Cluster(kafkaSettings({ brokers }, systemClock))
  try {
    const { coordinators } = await cluster.ask((connection) =>
      findCoordinatorV4.api.async(connection, FindCoordinatorKeyTypes.GROUP, [group]),
    )
    return coordinators[0]!.nodeId
  } finally {
    await cluster.close()
  }
}
