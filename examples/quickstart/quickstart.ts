import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Infer, millrace } from 'millrace'
import { fraudV1, payments } from './definitions.ts'

type Vector = Infer<typeof fraudV1> // { payments_1d: number, amount_mean_30d: number | null, … }

const folder = await mkdtemp(join(tmpdir(), 'quickstart-'))
const mill = await millrace({ definitions: [fraudV1], folder })

await mill.send(payments, [
  { paymentId: 'p1', customerId: 7, terminalId: 3, amount: 20, fraud: false, at: '2026-01-05T02:10:00Z' },
  { paymentId: 'p2', customerId: 7, terminalId: 3, amount: '35.10', fraud: false, at: '2026-01-05T09:30:00Z' },
])
await mill.caughtUp()

// The value at any instant: events leave a window without a new one arriving.
const keys = { customerId: 7, terminalId: 3 }
const morning: Vector = await mill.get(fraudV1, keys, { asOf: '2026-01-05T10:00:00Z' })
const nextDay: Vector = await mill.get(fraudV1, keys, { asOf: '2026-01-06T10:00:00Z' })

// A payment is scored before it is in the log.
const event = { ...keys, paymentId: 'p3', amount: 900, fraud: false, at: '2026-01-05T10:00:00Z' }
const scored: Vector = await mill.get(fraudV1, keys, { with: { stream: payments, event } })

console.log({ morning, nextDay, scored })

await mill.close()
await rm(folder, { recursive: true })
