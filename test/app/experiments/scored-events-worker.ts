// One life of a process that scores the payments of some users: says so once there are predictions of them.
import { open, payment, payments, valuesOf } from './scored-events.ts'

const [folder, first, count] = process.argv.slice(2) as [string, string, string]
const mill = await open(folder)
const before = (await valuesOf(mill, 'predictions')).length
const users = Array.from({ length: Number(count) }, (_, index) => Number(first) + index)
for (let from = 0; from < users.length; from += 30) await mill.send(payments, users.slice(from, from + 30).map(payment))
while ((await valuesOf(mill, 'predictions')).length <= before) await new Promise((resolve) => setImmediate(resolve))
process.send!('scoring')
await mill.engine.caughtUp()
process.once('message', () => undefined)
