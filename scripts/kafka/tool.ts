import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fetchJars } from './jars.ts'

const run = promisify(execFile)

/**
 * Runs one of Kafka's own console tools and gives what it prints: `runKafkaTool('TopicCommand', ['--list', …])`. Costs
 * the start of a Java process.
 */
export async function runKafkaTool(tool: string, args: readonly string[]): Promise<string> {
  const jars = await fetchJars(() => undefined)
  const options = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(jars, '*')]
  const { stdout } = await run('java', [...options, `org.apache.kafka.tools.${tool}`, ...args])
  return stdout
}
