import type { Refusal, RefusalCode, Row, RowValue } from '../decode.ts'
import { describe, nameOfAllowed } from '../decode.ts'
import type { Field } from '../field.ts'
import { EventText } from '../projector/event-text.ts'
import { type FieldValues, makeFieldValues, setNull } from '../projector/field-values.ts'

/** Where a field is looked for: a dotted path from the top of the schema. */
export type AvroTarget = { readonly field: Field; readonly path: string }

/** Takes the values of one event, and what is wrong with them, by target. Filled again and again. */
export class AvroSink {
  readonly targets: readonly AvroTarget[]
  readonly values: FieldValues
  readonly text = new EventText()
  /** What is read just now, for a fault; set as it is come to. */
  where = ''
  depth = 0
  readonly #refusals: (Refusal | null)[]
  #refused = 0

  constructor(targets: readonly AvroTarget[]) {
    this.targets = targets
    this.values = makeFieldValues(targets.length)
    this.#refusals = targets.map(() => null)
  }

  clear(): void {
    if (this.#refused > 0) this.#refusals.fill(null)
    this.#refused = 0
    this.where = ''
    this.depth = 0
  }

  get isRefused(): boolean {
    return this.#refused > 0
  }

  setNumber(target: number, value: number): void {
    this.values.numbers[target] = value
  }

  setText(target: number, start: number, end: number): void {
    this.values.starts[target] = start
    this.values.ends[target] = end
  }

  /** Text that is not in the event's bytes as it is. */
  addText(target: number, text: Uint8Array): void {
    const start = this.text.append(text)
    this.setText(target, start, start + text.length)
  }

  setNull(target: number): void {
    setNull(this.values, target)
  }

  /** Null where the field does not have to have a value. */
  nullOr(target: number, code: 'NULL' | 'MISSING'): void {
    const { presence } = this.targets[target]!.field
    this.setNull(target)
    if (presence === 'required' || (code === 'MISSING' && presence === 'nullable')) {
      this.refuse(target, { code, came: code === 'NULL' ? 'null' : 'nothing' })
    }
  }

  /** A value that the field's parser took or did not take. */
  setParsed(target: number, parsed: string | number | boolean | { readonly code: RefusalCode }, came: unknown): void {
    if (typeof parsed === 'number') this.setNumber(target, parsed)
    else this.refuse(target, { code: (parsed as { code: RefusalCode }).code, came: describe(came) })
  }

  /** A later value in the same place takes back what was said of the one before. */
  forgive(target: number): void {
    if (this.#refusals[target] !== null) this.#refused -= 1
    this.#refusals[target] = null
  }

  refuse(target: number, why: Pick<Refusal, 'code' | 'came'> & Partial<Pick<Refusal, 'path' | 'allowed'>>): void {
    const { field, path } = this.targets[target]!
    this.setNull(target)
    if (this.#refusals[target] === null) this.#refused += 1
    this.#refusals[target] = { path, allowed: nameOfAllowed(field), ...why }
  }

  refusalOf(target: number): Refusal | null {
    return this.#refusals[target]!
  }

  /** In the order of the targets. */
  get refusals(): Refusal[] {
    return this.#refusals.filter((one) => one !== null)
  }

  value(target: number): RowValue {
    const { numbers, starts, ends } = this.values
    const { kind } = this.targets[target]!.field
    if (kind === 'string') return starts[target]! < 0 ? null : this.text.slice(starts[target]!, ends[target]!)
    const number = numbers[target]!
    if (number !== number) return null
    return kind === 'boolean' ? number === 1 : number
  }

  row(count: number): Row {
    return Array.from({ length: count }, (_, target) => this.value(target))
  }
}
