import { inspect } from 'node:util'
import type { Command } from 'commander'
import pc from 'picocolors'
import type { Mill, MillOptions } from '../app/mill.ts'
import type { LogPlace } from '../app/open-log.ts'
import type { ServerOptions } from '../app/server.ts'
import { systemClock } from '../base/clock.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from './kafka-place.ts'
import { folderOption, wholeNumber } from './options.ts'
import { print, printFault } from './output.ts'

export type RunOptions = {
  folder: string
  host: string
  port: string
  partitions?: string
  answerRequests?: true
  logPredictions?: true
} & KafkaCliOptions

/** What `dev` and `start` take alike. */
export function addRunOptions(command: Command): Command {
  command
    .addOption(folderOption())
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 picks a free one', '7070')
    .option('--partitions <count>', 'of topics that do not exist yet; a topic keeps its number (default: 4)')
    .option('--answer-requests', 'answer the requests that come through the log, on feature-requests')
  command.option('--log-predictions', 'put predictions that are asked for by HTTP on model-input and predictions too')
  return addKafkaOptions(command, { creates: true })
}

type Opening = {
  readonly folder: string
  readonly partitions: number
  readonly log?: LogPlace
  readonly answerRequests: boolean
  readonly logPredictions: boolean
  readonly observer: NonNullable<MillOptions['observer']>
}

/** What `runMill` works with: whoever has to wait for something else first imports it meanwhile. */
export async function importServer() {
  const server = await import('../app/server.ts')
  return { ...server, ...(await server.importServer()) }
}

/**
 * Opens a mill, serves it by HTTP until a signal comes or the engine stops, and closes it. `open` says with which
 * definitions; `running` begins what goes on meanwhile, and its result ends that.
 */
export async function runMill(
  options: RunOptions,
  open: (opening: Opening) => Promise<Mill>,
  running: (mill: Mill) => () => void = () => () => undefined,
): Promise<void> {
  const { makeMetrics, observeEngine, startServer } = await importServer()
  const metrics = makeMetrics()
  const port = wholeNumber('--port', options.port, { min: 0, max: 65_535 })
  const asked =
    options.partitions === undefined ? null : wholeNumber('--partitions', options.partitions, { min: 1, max: 1_000 })
  const { folder, host } = options
  const log = await kafkaPlace(options)
  let mill: Mill | null = null
  const takeover = (): void => {
    if (mill !== null) print(pc.dim(`version ${mill.versions.serving} is served`))
  }
  mill = await open({
    folder,
    partitions: asked ?? partitionsDefault,
    answerRequests: options.answerRequests === true,
    logPredictions: options.logPredictions === true,
    ...(log === undefined ? {} : { log }),
    observer: { ...observeEngine(metrics), takeover },
  })
  const { engine } = mill
  try {
    const server = await startServer({ mill, host, port, clock: systemClock, metrics, logger })
    // Before it says that it is there: whoever reads that may ask it to stop at once.
    const stop = stopRequested(() => engine.fault)
    printWelcome(mill, { address: server.address, folder })
    if (asked !== null) printOtherPartitions(mill, asked)
    const end = running(mill)
    await stop
    end()
    if (engine.fault === null) print(pc.dim('stopping: finishing what is under way'))
    await server.close()
    await drain(mill)
  } finally {
    // Also when the server could not start: an open mill would keep the process alive.
    await mill.close()
  }
  // Thrown, not printed: the last checkpoint may have failed as well, and the first fault is the cause.
  if (engine.fault !== null) throw engine.fault
}

const partitionsDefault = 4

/** A number of partitions that was asked for and has no effect must not look as if it had. */
function printOtherPartitions({ plan, log }: Mill, asked: number): void {
  const read = new Set(plan.streams.map(({ topic }) => topic))
  const others = log.topics().filter(({ topic, partitions }) => read.has(topic) && partitions !== asked)
  if (others.length === 0) return
  const list = others.map(({ topic, partitions }) => `${topic} has ${partitions}`).join(', ')
  print(`  note   --partitions ${asked} is for new topics; those that exist keep their number: ${list}`)
}

/** A start after a clean end has nothing to read again, unless this one was far behind: then it goes on there. */
const drainMsMax = 2_000

/** Lets the engine fold what was acknowledged last, before its last checkpoint. */
async function drain(mill: Mill): Promise<void> {
  const drained = new AbortController()
  // It rejects when the engine, or a partition, has stopped by a fault, which is told elsewhere.
  const caughtUp = mill.engine.caughtUp().catch(() => undefined)
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

function printWelcome({ versions, models }: Mill, { address, folder }: { address: string; folder: string }): void {
  const { plan } = versions
  const { number } = versions.applied
  const building = versions.serving === number ? '' : `, ${servingText(versions.serving)} until it is built`
  const about = `version ${number}, plan ${plan.hash.slice(0, 12)}${building}, data in ${folder}`
  print(`${pc.bold('millrace')} ${address}  ${pc.dim(about)}`)
  const [stream] = plan.streams
  const [service] = [...plan.services, ...plan.views]
  print(`  send   POST ${address}/v1/events/${stream!.name}`)
  print(`  read   POST ${address}/v1/features  ${pc.dim(`{"service":"${service!.name}","entities":[…]}`)}`)
  for (const { name, version, checksum } of models) {
    const artefact = checksum === null ? '' : `, ${checksum.slice(0, 12)}`
    print(
      `  score  POST ${address}/v1/predict  ${pc.dim(`{"model":"${name}","entities":[…]}  version ${version}${artefact}`)}`,
    )
  }
  print(`  watch  GET  ${address}/metrics`)
  print(pc.dim('  stop   Ctrl-C'))
}

function servingText(serving: number | null): string {
  return serving === null ? 'another plan is served' : `version ${serving} is served`
}

/** Resolves on SIGINT or SIGTERM, or soon after the engine has stopped by itself. */
async function stopRequested(fault: () => Error | null): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (fault() !== null) done()
    }, 200)
    // The server keeps the process alive.
    timer.unref()
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
