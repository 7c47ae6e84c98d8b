import type { Place } from './snapshot.ts'

/** Commands that work in another terminal, in this repository, for as long as the demo runs. */
export function lookLines({ address, folder }: Place): string[] {
  const keys = { customer_id: 7, terminal_id: 12 }
  const body = JSON.stringify({ service: 'fraud_v1', entities: [keys] })
  return [
    `curl -s ${address}/v1/features -H 'content-type: application/json' \\`,
    `  -d '${body}'`,
    `npm run millrace -- get fraud_v1 customer_id=${keys.customer_id} terminal_id=${keys.terminal_id} --url ${address}`,
    `npm run millrace -- dlq list --limit 10 --folder ${folder}`,
    `curl -s ${address}/metrics`,
  ]
}
