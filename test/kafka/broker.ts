import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after } from 'node:test'
import { type Cluster, type ClusterOptions, startCluster } from '../../scripts/kafka/cluster.ts'
import { missingForKafka } from '../../scripts/kafka/jars.ts'

/** Why no broker can be started here, for `skip` of a test; false when one can. In CI that is a failure instead. */
export async function reasonToSkip(): Promise<string | false> {
  const missing = await missingForKafka()
  if (missing !== null && process.env['CI'] !== undefined) throw new Error(`${missing}: CI has to run these tests`)
  return missing ?? false
}

/** The brokers to test against: those of `KAFKA_BROKERS`, or a cluster of one for this file's tests. */
export async function useBrokers(): Promise<string> {
  const given = process.env['KAFKA_BROKERS']
  return given ?? (await useCluster()).brokers
}

/** A cluster of this file's own, in a folder that is removed with it when the tests are over, however they end. */
export async function useCluster(options: Omit<ClusterOptions, 'folder'> = {}): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-kafka-'))
  const cluster = await startCluster({ ...options, folder })
  const killNow = (): void => {
    for (const { pid } of cluster.nodes) if (pid !== null) process.kill(pid, 'SIGKILL')
  }
  // The runner ends a file that takes too long with SIGTERM, and then no `after` runs.
  const killAndExit = (): void => {
    killNow()
    process.exit(1)
  }
  process.once('exit', killNow)
  process.once('SIGTERM', killAndExit)
  process.once('SIGINT', killAndExit)
  after(async () => {
    await cluster.kill()
    process.off('exit', killNow)
    process.off('SIGTERM', killAndExit)
    process.off('SIGINT', killAndExit)
    await rm(folder, { recursive: true, force: true })
  })
  return cluster
}
