/**
 * Faults on real processes and a real disk, for as long as asked.
 *
 *     npm run chaos -- --minutes 10 [--seed S] [--lanes 2] [--out FILE]
 *     npm run chaos -- --kafka --minutes 10 [--seed S] [--nodes 1|3] [--kinds 'zombie,drain'] [--out FILE]
 *     npm run chaos -- --kafka --mutants [--seed S]        plants bugs, one after the other; each has to be found
 */
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { runCampaign } from './campaign.ts'
import { runKafka } from './kafka/main.ts'
import { describeCampaign, recordOf } from './record.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '4' },
    seed: { type: 'string' },
    lanes: { type: 'string', default: '2' },
    out: { type: 'string' },
    kafka: { type: 'boolean', default: false },
    nodes: { type: 'string', default: '3' },
    kinds: { type: 'string' },
    mutants: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const minutes = Number(values.minutes)
if (values.kafka) await runKafka({ ...values, seed, minutes })
else await runOnFolders()
process.exitCode = 0

async function runOnFolders(): Promise<void> {
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
}
