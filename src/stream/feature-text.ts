import type { FeatureValue } from '../kernel/aggregation.ts'
import type { Header, RecordInput } from '../log/log.ts'
import type { ViewPlan } from '../plan/plan.ts'
import { formatInstant } from '../schema/instant.ts'
import { decodeKey } from '../schema/key-codec.ts'
import { type Emitted, eventRecord, featureEventBytesMax, givenValue, planDigits } from './feature-record.ts'
import { coordinateHeaders, type Coordinates } from './output-headers.ts'

/**
 * Records of the values after an event of one view, with the bytes that `eventRecord` gives them. Most of their text is
 * the same for all events, and is made once; whatever is not usual goes the long way.
 */
export class FeatureText {
  readonly #view: ViewPlan
  readonly #plan: string
  /** The text before each join key, and before each feature. Null: members are not simply in this order. */
  readonly #keys: readonly string[] | null
  readonly #features: readonly string[]
  readonly #begin: string
  readonly #end: string
  #place: Place | null = null

  /** @param plan its hash */
  constructor(view: ViewPlan, plan: string) {
    this.#view = view
    this.#plan = plan
    const [keys, features] = [view.keys.map(({ name }) => name), view.features.map(({ name }) => name)]
    const isUsual = keys.length > 0 && features.length > 0 && features.length <= featuresMax
    const isPlain = isUsual && [...keys, ...features].every((name) => plainName.test(name))
    this.#keys = isPlain ? membersOf(keys) : null
    this.#features = membersOf(features)
    this.#begin = `{"view":${JSON.stringify(view.name)},"keys":`
    this.#end = `},"plan":${JSON.stringify(plan.slice(0, planDigits))},"source":`
  }

  record(
    emitted: Pick<Emitted, 'key' | 'asOf' | 'finished'> & { readonly eventTime: number },
    source: Coordinates,
  ): RecordInput {
    const keys = this.#keys === null ? null : this.#keysOf(this.#keys, emitted.key)
    const features = keys === null ? null : this.#featuresOf(emitted.finished)
    if (features === null) return eventRecord({ ...emitted, view: this.#view, plan: this.#plan }, source)
    const instant = formatInstant(emitted.asOf)
    const times = `,"as_of":"${instant}","event_time":"${formatInstant(emitted.eventTime)}","window_end":"${instant}"`
    const place = this.#placeOf(source)
    const offset = String(source.offset)
    const text = `${this.#begin}${keys}${times},"features":${features}${this.#end}${place.text}${offset}}}`
    return {
      key: Buffer.from(keys!),
      value: Buffer.from(text),
      timestampMs: emitted.eventTime,
      headers: [...place.headers, [place.offsetName, Buffer.from(offset)]],
    }
  }

  #keysOf(members: readonly string[], key: Uint8Array): string {
    const { keys } = this.#view
    const values = decodeKey(
      keys.map(({ field }) => field.kind),
      key,
    )
    let text = ''
    for (const [index, before] of members.entries()) {
      text += before + JSON.stringify(givenValue(keys[index]!.field, values[index]!))
    }
    return `${text}}`
  }

  /** Null: a value is a text or a list, or there is more to tell of one. */
  #featuresOf(finished: Emitted['finished']): string | null {
    if (finished === null) return null
    const { values, status } = finished
    let text = ''
    for (let index = 0; index < values.length; index++) {
      if (status[index] !== 'PRESENT' && status[index] !== 'NULL_VALUE') return null
      const value = textOf(values[index]!)
      if (value === null) return null
      text += this.#features[index]! + value
    }
    return text
  }

  #placeOf(source: Coordinates): Place {
    const { stream, topic, partition } = source
    const last = this.#place
    if (last !== null && last.partition === partition && last.topic === topic && last.stream === stream) return last
    const all = Object.entries(coordinateHeaders(source)).map(([name, text]): Header => [name, Buffer.from(text)])
    const text = `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":`
    this.#place = { stream, topic, partition, text, headers: all.slice(0, -1), offsetName: all.at(-1)![0] }
    return this.#place
  }
}

/** What all records that come of one source partition have in common. */
type Place = Omit<Coordinates, 'offset'> & {
  readonly text: string
  readonly headers: readonly Header[]
  readonly offsetName: string
}

/** An object's members stand in the order in which they are put there, but for names that are numbers. */
const plainName = /^(?!__proto__$)[A-Za-z_]\w*$/

/** Numbers of fewer features fit into a record whatever they are. */
const featuresMax = featureEventBytesMax / 256

function membersOf(names: readonly string[]): string[] {
  return names.map((name, index) => `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`)
}

/** The JSON of what is no text and no list; null for those. */
function textOf(value: FeatureValue): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null'
  if (value === null) return 'null'
  return typeof value === 'boolean' ? String(value) : null
}
