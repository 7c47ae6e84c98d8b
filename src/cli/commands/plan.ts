import { Command } from 'commander'
import { jsonOption } from '../options.ts'
import { print, printJson } from '../output.ts'

export function planCommand(): Command {
  return new Command('plan')
    .description('Check definitions and show what they compile to: topics, verdict rules, windows, bounds')
    .argument('<definitions>', 'TypeScript or JavaScript module that exports the definitions')
    .addOption(jsonOption())
    .addHelpText('after', '\nFaults in the definitions are printed, all at once, and the exit code is 1.')
    .action(async (file: string, options: { json?: boolean }) => {
      const { loadPlan } = await import('../../app/load-plan.ts')
      const { explainPlan, planSummary } = await import('../../plan/explain.ts')
      const { plan } = await loadPlan(file)
      if (options.json === true) printJson(planSummary(plan))
      else print(explainPlan(plan))
    })
}
