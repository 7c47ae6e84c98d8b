import { eventDepthMax } from '../decode.ts'
import { AvroFault, type AvroInput, skippedBlock } from './avro-input.ts'
import type { AvroSink, AvroTarget } from './avro-sink.ts'
import { type AvroRecord, type AvroType, nameOfAvroType } from './avro-type.ts'
import { type AvroStep, makeAvroValue } from './avro-value.ts'

/** A target as it is looked for below some type: what is left of its path. */
type Wanted = { readonly target: number; readonly steps: readonly string[] }

/**
 * Compiles a schema into what reads the targets out of its bytes and steps over everything else. A path leads through
 * records, and through maps by their keys; what is missing, or has another type than its field, refuses each event.
 */
export function resolveAvro(type: AvroType, targets: readonly AvroTarget[]): AvroStep {
  const resolution = new Resolution(targets)
  return resolution.step(
    type,
    targets.map(({ path }, target) => ({ target, steps: path.split('.') })),
    '',
  )
}

class Resolution {
  readonly #targets: readonly AvroTarget[]
  /** By type and path: of a path all that is wanted below it is known, and types may refer to each other. */
  readonly #made = new Map<AvroType, Map<string, AvroStep>>()
  readonly #skips = new Map<AvroType, AvroStep>()

  constructor(targets: readonly AvroTarget[]) {
    this.#targets = targets
  }

  step(type: AvroType, wanted: readonly Wanted[], path: string): AvroStep {
    if (wanted.length === 0) return this.#skip(type)
    const made = this.#made.get(type) ?? new Map<string, AvroStep>()
    this.#made.set(type, made)
    const found = made.get(path) ?? this.#make(type, wanted, path)
    made.set(path, found)
    return found
  }

  #make(type: AvroType, wanted: readonly Wanted[], path: string): AvroStep {
    const here = wanted.filter(({ steps }) => steps.length === 0).map(({ target }) => target)
    const below = wanted.filter(({ steps }) => steps.length > 0)
    switch (type.kind) {
      case 'union': {
        const branches = type.branches.map((branch) => this.step(branch, wanted, path))
        return (input, sink) => branchOf(input, branches)(input, sink)
      }
      case 'null':
        return (_, sink) => {
          for (const target of here) sink.nullOr(target, 'NULL')
          for (const { target } of below) nullOnTheWay(sink, target, path)
        }
      case 'record':
        return this.#both(type, here, this.#record(type, below, path))
      case 'map':
        return this.#both(type, here, below.length === 0 ? this.#skip(type) : this.#map(type, below, path))
      default: {
        const step = this.#both(type, here, null)
        const came = nameOfAvroType(type)
        return (input, sink) => {
          for (const { target } of below) sink.refuse(target, { code: 'TYPE', path, came, allowed: 'an object' })
          step(input, sink)
        }
      }
    }
  }

  /** The targets that are this value itself, each read from its start, and then what is below. */
  #both(type: AvroType, here: readonly number[], below: AvroStep | null): AvroStep {
    const came = nameOfAvroType(type)
    const refused = (target: number): AvroStep => {
      return (_, sink) => sink.refuse(target, { code: 'TYPE', came })
    }
    const values = here.map((target) => makeAvroValue(type, target, this.#targets[target]!.field))
    const readers = values.filter((value) => value !== null)
    const refusals = here.filter((_, index) => values[index] === null).map(refused)
    // The last reader leaves the position behind the value.
    const last = below ?? readers.pop() ?? this.#skip(type)
    if (readers.length === 0 && refusals.length === 0) return last
    return (input, sink) => {
      const { at } = input
      for (const refuse of refusals) refuse(input, sink)
      for (const read of readers) {
        read(input, sink)
        input.back(at)
      }
      last(input, sink)
    }
  }

  #record({ fields }: AvroRecord, wanted: readonly Wanted[], path: string): AvroStep {
    const groups = Map.groupBy(wanted, ({ steps }) => steps[0]!)
    const placed = new Map<number, Wanted[]>()
    const missing: number[] = []
    for (const [name, group] of groups) {
      // By its name; else by a name that the writer says it had before.
      let index = fields.findIndex((field) => field.name === name)
      if (index < 0) index = fields.findIndex((field) => field.aliases.includes(name))
      if (index < 0) missing.push(...group.map(({ target }) => target))
      else placed.set(index, [...(placed.get(index) ?? []), ...group.map(oneStep)])
    }
    const paths = fields.map(({ name }) => (path === '' ? name : `${path}.${name}`))
    const steps = fields.map(({ type }, index) => this.step(type, placed.get(index) ?? [], paths[index]!))
    return (input, sink) => {
      enter(sink)
      for (let index = 0; index < missing.length; index++) sink.nullOr(missing[index]!, 'MISSING')
      for (let index = 0; index < steps.length; index++) {
        sink.where = paths[index]!
        steps[index]!(input, sink)
      }
      sink.depth -= 1
    }
  }

  #map({ items }: Extract<AvroType, { items: AvroType }>, wanted: readonly Wanted[], path: string): AvroStep {
    const groups = [...Map.groupBy(wanted, ({ steps }) => steps[0]!)].map(([name, group]) => ({
      key: Buffer.from(name),
      path: path === '' ? name : `${path}.${name}`,
      targets: group.map(({ target }) => target),
      step: this.step(items, group.map(oneStep), path === '' ? name : `${path}.${name}`),
    }))
    const skip = this.#skip(items)
    return (input, sink) => {
      enter(sink)
      for (const { target } of wanted) sink.nullOr(target, 'MISSING')
      for (let count = input.block(false); count > 0; count = input.block(false)) {
        for (; count > 0; count--) {
          sink.where = path
          const length = input.length()
          const at = input.take(length)
          const group = groups.find(
            ({ key }) => key.length === length && key.equals(input.bytes.subarray(at, at + length)),
          )
          if (group === undefined) skip(input, sink)
          else {
            sink.where = group.path
            for (const target of group.targets) sink.forgive(target)
            group.step(input, sink)
          }
        }
      }
      sink.depth -= 1
    }
  }

  /** Steps over a value. */
  #skip(type: AvroType): AvroStep {
    const known = this.#skips.get(type)
    if (known !== undefined) return known
    // Before it is made: it may come upon itself.
    let made: AvroStep | null = null
    this.#skips.set(type, (input, sink) => made!(input, sink))
    made = this.#makeSkip(type)
    this.#skips.set(type, made)
    return made
  }

  #makeSkip(type: AvroType): AvroStep {
    switch (type.kind) {
      case 'null':
        return () => undefined
      case 'boolean':
        return (input) => void input.boolean()
      case 'int':
        return (input) => void input.int()
      case 'long':
        return (input) => void input.number()
      case 'enum': {
        const { length } = type.symbols
        return (input) => {
          const index = input.number()
          if (!(index >= 0 && index < length)) throw new AvroFault(`an enum has symbol ${index} of ${length}`)
        }
      }
      case 'float':
        return (input) => void input.take(4)
      case 'double':
        return (input) => void input.take(8)
      case 'bytes':
      case 'string':
        return (input) => void input.take(input.length())
      case 'fixed': {
        const { size } = type
        return (input) => void input.take(size)
      }
      case 'union': {
        const branches = type.branches.map((branch) => this.#skip(branch))
        return (input, sink) => branchOf(input, branches)(input, sink)
      }
      case 'record': {
        const steps = type.fields.map((field) => this.#skip(field.type))
        return (input, sink) => {
          enter(sink)
          for (const step of steps) step(input, sink)
          sink.depth -= 1
        }
      }
      case 'array':
      case 'map':
        return skipBlocks(this.#skip(type.items), type.kind === 'map')
    }
  }
}

function skipBlocks(skip: AvroStep, hasKeys: boolean): AvroStep {
  return (input, sink) => {
    enter(sink)
    for (let count = input.block(true); count !== 0; count = input.block(true)) {
      if (count === skippedBlock) continue
      for (; count > 0; count--) {
        const { left } = input
        if (hasKeys) input.take(input.length())
        skip(input, sink)
        // Items of no bytes: there may be any number of them, and none of them is looked at.
        if (input.left === left) break
      }
    }
    sink.depth -= 1
  }
}

function oneStep({ target, steps }: Wanted): Wanted {
  return { target, steps: steps.slice(1) }
}

function branchOf(input: AvroInput, branches: readonly AvroStep[]): AvroStep {
  const index = input.number()
  const branch = branches[index]
  if (branch === undefined) throw new AvroFault(`a union has branch ${index} of ${branches.length}`)
  return branch
}

function enter(sink: AvroSink): void {
  sink.depth += 1
  if (sink.depth > eventDepthMax) throw new AvroFault(`nesting deeper than ${eventDepthMax}`, 'DEPTH')
}

/** As JSON: there is no value where what would hold it is null. */
function nullOnTheWay(sink: AvroSink, target: number, path: string): void {
  sink.setNull(target)
  if (sink.targets[target]!.field.presence !== 'required') return
  sink.refuse(target, { code: 'TYPE', path, came: 'null', allowed: 'an object' })
}
