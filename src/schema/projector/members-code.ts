import {
  block,
  branch,
  choose,
  type Code,
  give,
  i32,
  i64,
  loop,
  v128,
  type Variable,
  type WasmFunction,
  type WasmModule,
  when,
} from '../../base/wasm.ts'
import { eventDepthMax } from '../decode.ts'
import type { Field } from '../field.ts'
import { fieldCode, type FieldPlaces, nullCode } from './field-code.ts'
import { addJsonCode, brace, isStop, type JsonCode, next, passPlain, quote, stop } from './json-code.ts'
import { fieldsBelow, numbersBelow, type PathNode, type PathTree } from './path-tree.ts'

/** Where in memory what is where: the event's text, the values of its fields, the names of their members. */
export type ProjectorPlaces = FieldPlaces & { readonly text: number; readonly names: readonly number[] }

/**
 * Adds a function that takes the length of the event that lies at `text`, fills in the values of its fields and gives 0
 * when all of its bytes are ASCII, 1 when not, `stop` when it is the decoder's. For each object that fields are in there
 * is one that reads its members: it finds a member by a hash of its name and then by its bytes, and knows which ones it
 * has seen.
 */
export function addProjector(
  module: WasmModule,
  { tree, fields }: { readonly tree: PathTree; readonly fields: readonly Field[] },
  places: ProjectorPlaces,
): WasmFunction {
  const json = addJsonCode(module, places.text)
  const seen = makeMarks(module, tree.size)
  const parts: Parts = { module, fields, places, json, seen, isName: addIsName(module, places.text) }
  const root = addObject(tree.members, 1, parts)
  const optional = fields.flatMap(({ presence }, index) => (presence === 'optional' ? [index] : []))
  const needed = tree.members.flatMap(leavesOf).filter((leaf) => {
    return leaf.fields.some((index) => fields[index]!.presence !== 'optional')
  })
  const run = module.declare(1)
  module.define(run, ([length], local) => {
    const [at, isOther] = [local('i32'), local('i32')]
    return [
      // A zero ends every scan; what is left of events before is read at most beside what counts.
      v128.store(length!.get, v128.zero, places.text),
      loop((again) => [
        isOther.set(i32.or(isOther.get, v128.bitmask(v128.load(at.get, places.text)))),
        next(at, 16),
        branch(again, i32.lt(at.get, length!.get)),
      ]),
      at.set(json.skipBlanks.call(i32.const(0))),
      when(i32.ne(json.byte(at.get), i32.const(brace)), give(stop)),
      seen.clear,
      optional.map((index) => nullCode(places, index)),
      at.set(root.call(i32.add(at.get, i32.const(1)))),
      when(isStop(at), give(stop)),
      when(i32.eqz(seen.has(needed.map(({ number }) => number))), give(stop)),
      when(i32.ne(json.skipBlanks.call(at.get), length!.get), give(stop)),
      give(i32.ne(isOther.get, i32.const(0))),
    ]
  })
  return run
}

type Parts = {
  readonly module: WasmModule
  readonly fields: readonly Field[]
  readonly places: ProjectorPlaces
  readonly json: JsonCode
  readonly seen: Marks
  readonly isName: WasmFunction
}

/** The members of one object, from behind its opening brace to behind its closing one. */
function addObject(members: readonly PathNode[], depth: number, parts: Parts): WasmFunction {
  const { module, json, places, isName } = parts
  const { byte, passBlanks } = json
  const own = module.declare(1)
  const { bits, buckets } = bucketsOf(members)
  const bodies = members.map((member) => memberCode(member, depth, parts))
  module.define(own, ([at], local) => {
    const [start, size] = [local('i32'), local('i32')]
    const [low, high] = [local('i64'), local('i64')]
    const isMember = ({ name, number }: PathNode): Code => {
      const { low: lowest, high: highest } = wordsOf(name)
      const same = [
        i32.eq(size.get, i32.const(name.length)),
        i64.eq(low.get, i64.const(lowest)),
        i64.eq(high.get, i64.const(highest)),
      ]
      if (name.length > 16) same.push(isName.call(start.get, i32.const(places.names[number]!), size.get))
      return same.reduce((all, one) => i32.and(all, one))
    }
    const isEnd = when(i32.eq(byte(at!.get), i32.const(0x7d)), give(i32.add(at!.get, i32.const(1))))
    const found = (read: Code): Code =>
      buckets.length === 0
        ? []
        : choose(
            hashCode({ low, high, size }, bits),
            buckets.map((inBucket) =>
              inBucket.map((index) => when(isMember(members[index]!), [bodies[index]!(at!, local), read])),
            ),
          )
    return [
      passBlanks(at!),
      isEnd,
      loop((again) => [
        block((readOne) => [
          when(i32.ne(byte(at!.get), i32.const(quote)), give(stop)),
          next(at!),
          start.set(at!.get),
          passPlain(at!, places.text, local),
          when(i32.ne(byte(at!.get), i32.const(quote)), give(stop)),
          size.set(i32.sub(at!.get, start.get)),
          low.set(firstBytes(i64.load(start.get, places.text), size.get)),
          high.set(firstBytes(i64.load(start.get, places.text + 8), i32.sub(size.get, i32.const(8)))),
          next(at!),
          passBlanks(at!),
          when(i32.ne(byte(at!.get), i32.const(0x3a)), give(stop)),
          next(at!),
          passBlanks(at!),
          found(branch(readOne)),
          at!.set(json.skipValue.call(at!.get, i32.const(eventDepthMax - depth))),
          when(isStop(at!), give(stop)),
        ]),
        passBlanks(at!),
        isEnd,
        when(i32.ne(byte(at!.get), i32.const(0x2c)), give(stop)),
        next(at!),
        passBlanks(at!),
        branch(again),
      ]),
    ]
  })
  return own
}

/** Reads the value of a member into its fields, or the object that has them. */
function memberCode(
  member: PathNode,
  depth: number,
  parts: Parts,
): (at: Variable, local: (type: 'i32') => Variable) => Code {
  const { fields, places, json, seen } = parts
  const { byte } = json
  const once = seen.once(member.number)
  if (member.members.length === 0) {
    return (at, local) => {
      const value = local('i32')
      // One value may be several fields: each reads it from its start.
      return [
        once,
        value.set(at.get),
        member.fields.map((index) => [at.set(value.get), fieldCode({ field: fields[index]!, index }, at, parts)]),
      ]
    }
  }
  const object = addObject(member.members, depth + 1, parts)
  const below = fieldsBelow(member)
  return (at) => {
    const inside = [
      when(i32.ne(byte(at.get), i32.const(brace)), give(stop)),
      at.set(object.call(i32.add(at.get, i32.const(1)))),
    ]
    const absent = [
      below.map((index) => nullCode(places, index)),
      seen.all(numbersBelow(member)),
      at.set(json.skipNull.call(at.get)),
    ]
    const isNull = i32.eq(byte(at.get), i32.const(0x6e))
    const isNeeded = below.some((index) => fields[index]!.presence === 'required')
    return [once, isNeeded ? inside : when(isNull, absent, inside), when(isStop(at), give(stop))]
  }
}

function leavesOf(node: PathNode): readonly PathNode[] {
  return node.members.length === 0 ? [node] : node.members.flatMap(leavesOf)
}

/** The first bytes of a word as memory has them, zeros for the others: `size` of them, all eight from eight on. */
function firstBytes(word: Code, size: Code): Code {
  const shift = i64.fromI32(i32.shl(i32.sub(i32.const(8), size), i32.const(3)))
  const some = i64.shrU(i64.shl(word, shift), shift)
  return selectBySize(size, { all: word, some })
}

function selectBySize(size: Code, { all, some }: { readonly all: Code; readonly some: Code }): Code {
  const none = i64.const(0n)
  return i64.select(i32.ge(size, i32.const(8)), all, i64.select(i32.gt(size, i32.const(0)), some, none))
}

/** As the generated code has the name's bytes. */
function wordsOf(name: Uint8Array): { readonly low: bigint; readonly high: bigint } {
  const padded = Buffer.alloc(16)
  padded.set(name.subarray(0, 16))
  return { low: padded.readBigUInt64LE(0), high: padded.readBigUInt64LE(8) }
}

const spread = 0x9e37_79b9_7f4a_7c15n

type NameVariables = { readonly low: Variable; readonly high: Variable; readonly size: Variable }

/** The highest bits of a product that all of the name's first bytes and its size take part in. */
function hashCode({ low, high, size }: NameVariables, bits: number): Code {
  const mixed = i64.xor(low.get, i64.add(i64.mul(high.get, i64.const(3n)), i64.fromI32(size.get)))
  return i32.fromI64(i64.shrU(i64.mul(mixed, i64.const(spread)), i64.const(BigInt(64 - bits))))
}

/** As the generated code computes it. */
function hashOf(name: Uint8Array, bits: number): number {
  const { low, high } = wordsOf(name)
  const mixed = low ^ BigInt.asUintN(64, high * 3n + BigInt(name.length))
  return Number(BigInt.asUintN(64, mixed * spread) >> BigInt(64 - bits))
}

/** Indexes of members by the hash of their names. */
function bucketsOf(members: readonly PathNode[]): { readonly bits: number; readonly buckets: readonly number[][] } {
  const bits = Math.ceil(Math.log2(Math.max(1, members.length) * 4))
  const buckets = Array.from({ length: 2 ** bits }, (): number[] => [])
  for (const [index, { name }] of members.entries()) buckets[hashOf(name, bits)]!.push(index)
  return { bits, buckets }
}

/** Adds a function that compares a text with a name that lies elsewhere in memory; as many bytes as it is told. */
function addIsName(module: WasmModule, text: number): WasmFunction {
  const isName = module.declare(3)
  module.define(isName, ([at, name, size], local) => {
    const index = local('i32')
    return [
      loop((again) => [
        when(
          i32.ne(i32.load8(i32.add(at!.get, index.get), text), i32.load8(i32.add(name!.get, index.get))),
          give(i32.const(0)),
        ),
        next(index),
        branch(again, i32.lt(index.get, size!.get)),
      ]),
      give(i32.const(1)),
    ]
  })
  return isName
}

type Marks = {
  readonly clear: Code
  /** Marks one; gives up on a second time. */
  readonly once: (number: number) => Code
  readonly all: (numbers: readonly number[]) => Code
  readonly has: (numbers: readonly number[]) => Code
}

/** So many flags in variables of 64 each. */
function makeMarks(module: WasmModule, count: number): Marks {
  const variables = Array.from({ length: Math.ceil(count / 64) }, () => module.global('i64'))
  const at = (number: number): Variable => variables[Math.floor(number / 64)]!
  const bit = (number: number): bigint => 1n << BigInt(number % 64)
  const masks = (numbers: readonly number[]): (readonly [Variable, Code])[] =>
    [...Map.groupBy(numbers, at)].map(([variable, own]) => {
      return [variable, i64.const(own.reduce((mask, one) => mask | bit(one), 0n))]
    })
  return {
    clear: variables.map((variable) => variable.set(i64.const(0n))),
    once: (number) => {
      const [variable, mask] = [at(number), i64.const(bit(number))]
      const isSeen = i32.eqz(i64.eqz(i64.and(variable.get, mask)))
      return [when(isSeen, give(stop)), variable.set(i64.or(variable.get, mask))]
    },
    all: (numbers) => masks(numbers).map(([variable, mask]) => variable.set(i64.or(variable.get, mask))),
    has: (numbers) =>
      masks(numbers)
        .map(([variable, mask]) => i64.eq(i64.and(variable.get, mask), mask))
        .reduce((all, one) => i32.and(all, one), i32.const(1)),
  }
}
