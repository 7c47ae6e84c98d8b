/**
 * Faults on real processes and a real disk, for as long as asked.
 *
 *     npm run chaos -- --minutes 10 [--seed S] [--lanes 2] [--out FILE]
 */
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { runCampaign } from './campaign.ts'
import { describeCampaign, recordOf } from './record.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '4' },
    seed: { type: 'string' },
    lanes: { type: 'string', default: '2' },
    out: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const minutes = Number(values.minutes)
const command = `npm run chaos -- --minutes ${minutes} --seed ${seed} --lanes ${values.lanes}`
console.log(command)
const campaign = await runCampaign({
  seed,
  lanes: Number(values.lanes),
  faultsMin: 0,
  durationMs: minutes * 60_000,
  log: (text) => console.log(text),
})
console.log(describeCampaign(campaign))
if (values.out !== undefined) {
  writeFileSync(values.out, `${JSON.stringify(recordOf(campaign, command), null, 2)}\n`)
  console.log(`written to ${values.out}`)
}
process.exitCode = 0
