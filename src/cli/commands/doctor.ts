import { Command } from 'commander'
import pc from 'picocolors'
import type { Finding } from '../../app/doctor/finding.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption } from '../options.ts'
import { counted, endProgressLine, makeProgressLine, print, printJson } from '../output.ts'
import { visible } from '../visible.ts'

type Options = { folder: string; deep?: boolean; json?: boolean } & KafkaCliOptions

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Check a data folder: log, store and counters, and whether they agree; or a log in Kafka')
    .argument('[definitions]', 'module that exports the definitions, where the folder does not hold them')
    .addOption(folderOption())
    .option('--deep', 'compute every state anew from the log and compare the bytes')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Changes nothing, and may run beside \`millrace dev\`. Each line is ok, a warning
or a fault, with what to do. Exits with 0 when there is no fault, else with 1.
--deep reads the log from its start, and needs the memory of a whole state.

With --kafka: brokers, topics and their settings, retention against windows,
what this client may do, clocks, and how far behind the state in the folder is.`,
    )
    .action(run)
  return addKafkaOptions(command, { creates: true })
}

async function run(file: string | undefined, options: Options): Promise<void> {
  const { folder, deep, json } = options
  const { examineFolder } = await import('../../app/doctor/doctor.ts')
  const { loadPlan } = await import('../../app/load-plan.ts')
  const { examineCluster } = await import('../../app/doctor/cluster-doctor.ts')
  const place = await kafkaPlace(options)
  const shared = {
    folder,
    ...(file === undefined ? {} : { plan: (await loadPlan(file)).plan }),
    onFinding: (finding: Finding) => {
      endProgressLine()
      if (json !== true) printFinding(finding)
    },
  }
  const diagnosis = await (place === undefined
    ? examineFolder({ ...shared, deep: deep === true, onProgress: makeProgressLine() })
    : examineCluster({ ...shared, place }))
  endProgressLine()
  if (json === true) printJson(diagnosis)
  else print(summary(diagnosis.findings))
  if (!diagnosis.healthy) process.exitCode = 1
}

const statusText: Readonly<Record<Finding['status'], string>> = {
  ok: pc.green('ok     '),
  warning: pc.yellow('warning'),
  fault: pc.red('fault  '),
}

function printFinding({ check, status, what, hint }: Finding): void {
  print(`${statusText[status]}  ${visible(check)}: ${visible(what)}`)
  if (hint !== null) print(pc.dim(`         ${visible(hint)}`))
}

function summary(findings: readonly Finding[]): string {
  const count = (status: Finding['status']): number => findings.filter((one) => one.status === status).length
  const [faults, warnings] = [count('fault'), count('warning')]
  if (faults > 0) return `${counted(faults, 'fault')}, ${counted(warnings, 'warning')}`
  return warnings === 0 ? 'healthy' : `healthy, ${counted(warnings, 'warning')}`
}
