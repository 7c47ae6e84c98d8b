// One life of a process that acts: sends its part of the payments, says so, and goes on until it is killed or told.
import { open, payment, payments, settled, toTopic, toWebhook } from './acting.ts'

const [folder, url, life, count] = process.argv.slice(2) as [string, string, string, string]
const mill = await open(folder, [toTopic, toWebhook(url, { attempts: 10 })])
const from = Number(life) * Number(count)
// Its last life finds everything sent, and has only to finish.
if (Number(life) < 2) {
  await mill.send(
    payments,
    Array.from({ length: Number(count) }, (_, index) => payment(from + index, 1)),
  )
} else await settled(mill)
process.send!('sent')
process.once('message', () => {
  void mill.close().then(() => process.disconnect())
})
