import { Command } from 'commander'
import { loadPlan } from '../../app/load-plan.ts'
import { explainPlan, planSummary } from '../../plan/explain.ts'
import { jsonOption } from '../options.ts'
import { print, printJson } from '../output.ts'

export function planCommand(): Command {
  return new Command('plan')
    .description('Check definitions and show what they compile to: topics, verdict rules, windows, bounds')
    .argument('<definitions>', 'TypeScript or JavaScript module that exports the definitions')
    .addOption(jsonOption())
    .addHelpText('after', '\nWith faults in the definitions, all of them are printed and the exit code is 1.')
    .action(async (file: string, options: { json?: boolean }) => {
      const { plan } = await loadPlan(file)
      if (options.json === true) printJson(planSummary(plan))
      else print(explainPlan(plan))
    })
}
