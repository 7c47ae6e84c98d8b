/** Events and spine of a training set, as Parquet: simulated, or cut out of a file of published payments. */
import { openTableReader, openTableWriter } from 'millrace'
import type { Payment } from '../payment.ts'
import { simulatePayments } from '../simulator.ts'

export const dayMs = 86_400_000
/** The longest window with its offset is 37 days: before that features see less than they should. */
export const warmingDays = 38

export type EventRow = {
  readonly id: string
  readonly at: number
  readonly customerId: number
  readonly terminalId: number
  readonly amount: number
  readonly fraud: boolean
}

/** Simulated payments of some days, in time order. */
export function simulatedRows(options: { seed: number; startMs: number; customers: number; days: number }): EventRow[] {
  const rows = [...simulatePayments({ ...options, terminals: 2 * options.customers })]
  return rows.map(({ paymentId, ...rest }: Payment) => ({ ...rest, id: paymentId }))
}

/** The payments of a file in `[fromMs, toMs)`, in the columns of the published data set. */
export async function publishedRows(file: string, fromMs: number, toMs: number): Promise<EventRow[]> {
  const rows: EventRow[] = []
  const names = ['transaction_id', 'ts', 'customer_id', 'terminal_id', 'amount', 'fraud']
  for await (const batch of (await openTableReader(file)).read(names)) {
    for (let row = 0; row < batch.rows; row++) {
      const [id, at, customerId, terminalId, amount, fraud] = batch.columns.map((column) => column[row])
      if (Number(at) < fromMs || Number(at) >= toMs) continue
      rows.push({
        id: String(id),
        at: Number(at),
        customerId: Number(customerId),
        terminalId: Number(terminalId),
        amount: Number(amount),
        fraud: Number(fraud) === 1,
      })
    }
  }
  return rows.sort((a, b) => a.at - b.at)
}

/** All rows as events, and those that come after the warming as a spine with their label. */
export async function writeTables(rows: readonly EventRow[], files: { events: string; spine: string }): Promise<void> {
  await writeTable(files.events, rows, true)
  const fromMs = rows[0]!.at + warmingDays * dayMs
  await writeTable(
    files.spine,
    rows.filter(({ at }) => at >= fromMs),
    false,
  )
}

async function writeTable(file: string, rows: readonly EventRow[], withAmount: boolean): Promise<void> {
  const writer = await openTableWriter(file, [
    { name: 'transaction_id', type: 'string', nullable: false },
    { name: 'ts', type: 'timestamp', nullable: false },
    { name: 'customer_id', type: 'int64', nullable: false },
    { name: 'terminal_id', type: 'int64', nullable: false },
    { name: 'fraud', type: 'boolean', nullable: false },
    ...(withAmount ? [{ name: 'amount', type: 'double', nullable: false } as const] : []),
  ])
  for (let from = 0; from < rows.length; from += 50_000) {
    const part = rows.slice(from, from + 50_000)
    const columns = [
      part.map(({ id }) => id),
      part.map(({ at }) => at),
      part.map(({ customerId }) => customerId),
      part.map(({ terminalId }) => terminalId),
      part.map(({ fraud }) => fraud),
      ...(withAmount ? [part.map(({ amount }) => amount)] : []),
    ]
    await writer.write({ rows: part.length, columns })
  }
  await writer.close()
}
