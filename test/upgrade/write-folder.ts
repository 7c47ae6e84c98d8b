/**
 * Writes a data folder with the code as it is now, to be kept for later versions to read:
 * `node --conditions=millrace-source test/upgrade/write-folder.ts FOLDER`.
 */
import { writeFile } from 'node:fs/promises'
import { millrace } from '../../src/index.ts'
import { payments, risk } from './definitions.ts'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('which folder?')

const start = Date.UTC(2024, 5, 1, 12)
let nowMs = start
const clock = {
  now: () => nowMs,
  elapsed: () => performance.now(),
  sleep: (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
    }),
  turn: () => new Promise<void>((resolve) => setImmediate(resolve)),
}
const mill = await millrace({ definitions: [risk], folder, partitions: 2, clock })
const countries = ['NL', 'DE', null, 'FR']
for (let index = 0; index < 200; index++) {
  nowMs = start + index * 600_000
  // Some late, some twice, some malformed.
  const at = nowMs - (index % 17 === 3 ? 7_200_000 : (index % 5) * 1_000)
  const event = {
    paymentId: `p${index % 23 === 7 ? index - 1 : index}`,
    customerId: index % 7,
    amount: index % 31 === 5 ? 'much' : index * 1.25,
    country: countries[index % 4],
    at: new Date(at).toISOString(),
  }
  await mill.ingest(payments.name, [Buffer.from(JSON.stringify(event))])
}
await mill.caughtUp()
const asOf = nowMs + 60_000
const rows = Array.from({ length: 8 }, (_, customerId) => ({
  customerId,
  values: mill.read(risk.name, { customerId }, { asOf }).values,
}))
const { counts } = mill
await mill.close()
await writeFile(`${folder}/expected.json`, `${JSON.stringify({ asOf, rows, counts }, null, 2)}\n`)
