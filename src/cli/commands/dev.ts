import { Command } from 'commander'
import pc from 'picocolors'
import { loadPlan } from '../../app/load-plan.ts'
import { millrace } from '../../app/mill.ts'
import { observeEngine, startServer } from '../../app/server.ts'
import { systemClock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import { makeMetrics } from '../../monitor/metrics.ts'
import { folderOption } from '../options.ts'
import { print, printFault } from '../output.ts'

type Options = { folder: string; host: string; port: string; partitions: string }

export function devCommand(): Command {
  return new Command('dev')
    .description('Run everything in one process: log, engine, online store, HTTP')
    .argument('<definitions>', 'module that exports the definitions')
    .addOption(folderOption())
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 picks a free one', '7070')
    .option('--partitions <count>', 'partitions of new topics', '4')
    .action(run)
}

async function run(file: string, options: Options): Promise<void> {
  const { definitions, plan } = await loadPlan(file)
  const metrics = makeMetrics()
  const mill = await millrace({
    definitions,
    folder: options.folder,
    partitions: wholeNumber('--partitions', options.partitions, { min: 1, max: 1_000 }),
    observer: observeEngine(metrics),
  })
  const port = wholeNumber('--port', options.port, { min: 0, max: 65_535 })
  const logger = { error: (fields: object, text: string) => printFault(new Error(`${text} ${JSON.stringify(fields)}`)) }
  const server = await startServer({ mill, host: options.host, port, clock: systemClock, metrics, logger })

  print(
    `${pc.bold('millrace')} ${server.address}  ${pc.dim(`plan ${plan.hash.slice(0, 12)}, data in ${options.folder}`)}`,
  )
  const [stream] = plan.streams
  const [service] = [...plan.services, ...plan.views]
  print(`  send   POST ${server.address}/v1/events/${stream!.name}`)
  print(`  read   POST ${server.address}/v1/features  ${pc.dim(`{"service":"${service!.name}","entities":[…]}`)}`)
  print(`  watch  GET  ${server.address}/metrics`)

  await stopRequested(() => mill.engine.fault)
  const { fault } = mill.engine
  if (fault !== null) printFault(fault)
  else print(pc.dim('stopping: finishing what is under way'))
  await server.close()
  await mill.close()
  if (fault !== null) process.exitCode = 1
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

function wholeNumber(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: `${option} is "${text}"`,
    allowed: `Give a whole number from ${min} to ${max}.`,
  })
}
