import { describe } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'
import type { Log } from '../../src/log/log.ts'
import { describeLogConformance } from '../conformance/log.ts'
import { reasonToSkip, useBrokers } from './broker.ts'

const skip = await reasonToSkip()

describe('a real broker', { skip }, async () => {
  if (skip !== false) return
  const brokers = await useBrokers()
  const open = (): Promise<Log> => openKafkaLog({ brokers, clock: systemClock, replication: 1 })
  describeLogConformance('the Kafka log', {
    openFresh: open,
    reopen: async (log) => {
      await log.close()
      return await open()
    },
  })
})
