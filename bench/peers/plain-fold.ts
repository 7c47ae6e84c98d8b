/**
 * What a team writes in an afternoon: JSON.parse, a Map per entity, an array of raw events per key. The same events
 * are kept as in the contender; no ids, no lateness, no exact sums.
 */
type Raw = { customerId: number; terminalId: number; amount: number; fraud: boolean; at: number }
type Kept = { at: number; amount: number; fraud: boolean }

export class PlainFold {
  readonly customers = new Map<number, Kept[]>()
  readonly terminals = new Map<number, Kept[]>()

  take(value: Uint8Array): void {
    const { customerId, terminalId, amount, fraud, at } = JSON.parse(Buffer.from(value).toString()) as Raw
    keep(this.customers, customerId, { at, amount, fraud }, 86_400_000)
    keep(this.terminals, terminalId, { at, amount, fraud }, 7 * 86_400_000)
  }
}

function keep(map: Map<number, Kept[]>, key: number, event: Kept, lengthMs: number): void {
  let events = map.get(key)
  if (events === undefined) {
    events = []
    map.set(key, events)
  }
  events.push(event)
  while (events[0]!.at < event.at - lengthMs) events.shift()
}
