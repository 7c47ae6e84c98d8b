import type { Coordinates } from './output-headers.ts'

/** Where a source partition of the plan stands: the first offset not judged yet, or null when the plan has none such. */
export type NextOffsetOf = (source: {
  readonly stream: string
  readonly topic: string
  readonly partition: number
}) => number | null

/** Where an output lies. */
export type OutputPlace = { readonly topic: string; readonly partition: number; readonly offset: number }

/** The outputs of one source partition in one output topic, by offset of the source. */
type OfSource = {
  readonly outputTopic: string
  readonly source: Omit<Coordinates, 'offset'>
  offsets: number[]
  /** Partition and offset of each in the output topic. */
  partitions: number[]
  places: number[]
  isSorted: boolean
}

/**
 * Outputs that a recovery found in their topics while their source records are still to be judged. Three numbers each:
 * a rebuild from an empty store finds all there ever were.
 */
export class WrittenOutputs {
  readonly #sources = new Map<string, OfSource>()

  get isEmpty(): boolean {
    return this.#sources.size === 0
  }

  add({ topic: outputTopic, partition, offset }: OutputPlace, { offset: sourceOffset, ...source }: Coordinates): void {
    const name = nameOf(outputTopic, source)
    let found = this.#sources.get(name)
    if (found === undefined) {
      found = { outputTopic, source, offsets: [], partitions: [], places: [], isSorted: true }
      this.#sources.set(name, found)
    }
    if (sourceOffset < (found.offsets.at(-1) ?? 0)) found.isSorted = false
    found.offsets.push(sourceOffset)
    found.partitions.push(partition)
    found.places.push(offset)
  }

  has(outputTopic: string, source: Coordinates): boolean {
    if (this.#sources.size === 0) return false
    const found = this.#sources.get(nameOf(outputTopic, source))
    if (found === undefined) return false
    sort(found)
    return found.offsets[firstFrom(found.offsets, source.offset)] === source.offset
  }

  /**
   * Forgets the outputs whose source is judged by now, also those that nothing was recognised as: other definitions
   * wrote them, and they must not be waited for. Gives the first of the rest per topic and partition.
   */
  aheadFrom(next: NextOffsetOf): Map<string, number> {
    const first = new Map<string, number>()
    for (const [name, found] of this.#sources) {
      sort(found)
      const nextOffset = next(found.source)
      const judged = nextOffset === null ? found.offsets.length : firstFrom(found.offsets, nextOffset)
      rearrange(found, (numbers) => numbers.slice(judged))
      if (found.offsets.length === 0) this.#sources.delete(name)
      found.places.forEach((offset, index) => {
        keepFirst(first, `${found.outputTopic}/${found.partitions[index]!}`, offset)
      })
    }
    return first
  }
}

export function keepFirst(first: Map<string, number>, place: string, offset: number): void {
  first.set(place, Math.min(offset, first.get(place) ?? offset))
}

/** Names of topics and streams hold no blank. */
function nameOf(outputTopic: string, { stream, topic, partition }: Omit<Coordinates, 'offset'>): string {
  return `${outputTopic} ${stream} ${topic} ${partition}`
}

/** What comes from several partitions of an output topic is in order only within each. */
function sort(found: OfSource): void {
  if (found.isSorted) return
  const order = Array.from(found.offsets.keys()).sort((a, b) => found.offsets[a]! - found.offsets[b]!)
  rearrange(found, (numbers) => order.map((index) => numbers[index]!))
  found.isSorted = true
}

function rearrange(found: OfSource, change: (numbers: number[]) => number[]): void {
  found.offsets = change(found.offsets)
  found.partitions = change(found.partitions)
  found.places = change(found.places)
}

/** Index of the first offset that is not below `offset`. */
function firstFrom(offsets: readonly number[], offset: number): number {
  let [low, high] = [0, offsets.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (offsets[middle]! < offset) low = middle + 1
    else high = middle
  }
  return low
}
