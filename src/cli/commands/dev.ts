import { inspect } from 'node:util'
import { Command } from 'commander'
import pc from 'picocolors'
import type { Mill } from '../../app/mill.ts'
import type { ServerOptions } from '../../app/server.ts'
import { systemClock } from '../../base/clock.ts'
import type { Plan } from '../../plan/plan.ts'
import { folderOption, wholeNumber } from '../options.ts'
import { print, printFault } from '../output.ts'

type Options = { folder: string; host: string; port: string; partitions: string }

export function devCommand(): Command {
  return new Command('dev')
    .description('Run everything in one process: log, engine, online store, HTTP')
    .argument('<definitions>', 'TypeScript or JavaScript module that exports the definitions')
    .addOption(folderOption())
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 picks a free one', '7070')
    .option('--partitions <count>', 'of topics that do not exist yet; a topic keeps its number', '4')
    .addHelpText(
      'after',
      `
Ctrl-C (or SIGTERM) finishes what is under way, writes a checkpoint and exits
with 0. One process at a time runs in a data folder; train, explain and dlq may
read it meanwhile.`,
    )
    .action(run)
}

async function run(file: string, options: Options): Promise<void> {
  const { loadPlan } = await import('../../app/load-plan.ts')
  const { millrace } = await import('../../app/mill.ts')
  const { observeEngine, startServer } = await import('../../app/server.ts')
  const { makeMetrics } = await import('../../monitor/metrics.ts')
  const { definitions, plan } = await loadPlan(file)
  const metrics = makeMetrics()
  const port = wholeNumber('--port', options.port, { min: 0, max: 65_535 })
  const partitions = wholeNumber('--partitions', options.partitions, { min: 1, max: 1_000 })
  const { folder, host } = options
  const mill = await millrace({ definitions, folder, partitions, observer: observeEngine(metrics) })
  try {
    const server = await startServer({ mill, host, port, clock: systemClock, metrics, logger })
    printWelcome(plan, { address: server.address, folder })
    await stopRequested(() => mill.engine.fault)
    if (mill.engine.fault === null) print(pc.dim('stopping: finishing what is under way'))
    await server.close()
    await drain(mill)
  } finally {
    // Also when the server could not start: an open mill would keep the process alive.
    await mill.close()
  }
  // Thrown, not printed: the last checkpoint may have failed as well, and the first fault is the cause.
  if (mill.engine.fault !== null) throw mill.engine.fault
}

/** A start after a clean end has nothing to read again, unless this one was far behind: then it goes on there. */
const drainMsMax = 2_000

/** Lets the engine fold what was acknowledged last, before its last checkpoint. */
async function drain(mill: Mill): Promise<void> {
  const drained = new AbortController()
  // It rejects when the engine, or a partition, has stopped by a fault, which is told elsewhere.
  const caughtUp = mill.caughtUp().catch(() => undefined)
  await Promise.race([caughtUp, systemClock.sleep(drainMsMax, drained.signal)])
  drained.abort()
}

const logger: NonNullable<ServerOptions['logger']> = {
  error: ({ requestId, code, error }, text) =>
    printFault(new Error(`${text}: request ${String(requestId)}, ${String(code)}, ${stackOf(error)}`)),
}

/** Ours to mend, so all of it: the stack, and what it was caused by. */
function stackOf(error: unknown): string {
  return inspect(error, { colors: false })
}

function printWelcome(plan: Plan, { address, folder }: { address: string; folder: string }): void {
  print(`${pc.bold('millrace')} ${address}  ${pc.dim(`plan ${plan.hash.slice(0, 12)}, data in ${folder}`)}`)
  const [stream] = plan.streams
  const [service] = [...plan.services, ...plan.views]
  print(`  send   POST ${address}/v1/events/${stream!.name}`)
  print(`  read   POST ${address}/v1/features  ${pc.dim(`{"service":"${service!.name}","entities":[…]}`)}`)
  print(`  watch  GET  ${address}/metrics`)
  print(pc.dim('  stop   Ctrl-C'))
}

/** Resolves on SIGINT or SIGTERM, or soon after the engine has stopped by itself. */
async function stopRequested(fault: () => Error | null): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (fault() !== null) done()
    }, 200)
    const done = (): void => {
      clearInterval(timer)
      process.off('SIGINT', done)
      process.off('SIGTERM', done)
      resolve()
    }
    process.on('SIGINT', done)
    process.on('SIGTERM', done)
  })
}
