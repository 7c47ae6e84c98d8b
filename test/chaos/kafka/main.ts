import { runKafkaCampaign } from './campaign.ts'
import { type FaultKind, faultKinds } from './faults.ts'
import { huntKafkaMutants } from './hunt.ts'
import { addToRecord } from './record.ts'

export type KafkaArguments = {
  readonly seed: number
  readonly minutes: number
  readonly nodes: string
  readonly kinds?: string | undefined
  readonly out?: string | undefined
  readonly mutants: boolean
}

/** `npm run chaos -- --kafka`. */
export async function runKafka({ seed, minutes, nodes, kinds, out, mutants }: KafkaArguments): Promise<void> {
  if (mutants) return await huntKafkaMutants(seed, out ?? null)
  if (nodes !== '1' && nodes !== '3') throw new Error(`--nodes ${nodes}: a cluster has 1 node or 3`)
  const only = kinds === undefined ? '' : ` --kinds '${kinds}'`
  const command = `npm run chaos -- --kafka --minutes ${minutes} --nodes ${nodes} --seed ${seed}${only}`
  console.log(command)
  const campaign = await runKafkaCampaign({
    seed,
    nodes: nodes === '3' ? 3 : 1,
    faultsMin: 0,
    durationMs: minutes * 60_000,
    partMs: 150_000,
    perSecond: 40,
    sessionMs: 6_000,
    downMsMax: 60_000,
    freshMs: 1_000,
    quietMs: 1_000,
    recoveryMsMax: 180_000,
    ...(kinds === undefined ? {} : { kinds: kindsOf(kinds) }),
    log: (text) => console.log(`${(performance.now() / 1_000).toFixed(1).padStart(7)} ${text}`),
  })
  console.log(`${campaign.injected.length} faults in ${campaign.seconds.toFixed(0)} s: lost 0, doubled 0`)
  if (out === undefined) return
  addToRecord(out, campaign, command)
  console.log(`added to ${out}`)
}

function kindsOf(text: string): FaultKind[] {
  return text.split(',').map((name) => {
    const kind = faultKinds.find((one) => one === name)
    if (kind === undefined) throw new Error(`--kinds has "${name}": allowed are ${faultKinds.join(', ')}`)
    return kind
  })
}
