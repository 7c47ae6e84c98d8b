import { eventDepthMax } from '../decode.ts'
import type { Field } from '../field.ts'
import { fieldsBelow, numbersBelow, type PathNode, type PathTree } from './path-tree.ts'

/**
 * The source of a function that makes a `MembersScanner`: a scanner of members for each object that fields are in,
 * which finds a member by a hash of its name and then by its bytes, and knows which ones it has seen.
 */
export function projectorSource(
  tree: PathTree,
  fields: readonly Field[],
): { readonly source: string; readonly names: readonly Uint8Array[] } {
  const names: Uint8Array[] = []
  const functions: string[] = []
  const seen = makeMarks('seen', tree.size)

  function addObject(members: readonly PathNode[], depth: number): string {
    const buckets = bucketsOf(members)
    const cases = buckets.hashed.map(([bucket, inBucket]) => {
      const tried = inBucket.map((member) => {
        names[member.number] = member.name
        const isHere = `end - start === ${member.name.length} && isSame(bytes, start, name${member.number})`
        return `if (${isHere}) {\n${seen.once(member.number)}\n${readMember(member, depth)}\nbreak\n}`
      })
      return `case ${bucket}:\n${tried.join('\n')}\np = skipValue(bytes, p, ${eventDepthMax - depth})\nbreak`
    })
    const name = `object${functions.length}`
    functions.push(`function ${name}(bytes, at) {${objectBody(cases.join('\n'), buckets.mask, eventDepthMax - depth)}}`)
    return name
  }

  function readMember(member: PathNode, depth: number): string {
    if (member.members.length === 0) {
      // One value may be several fields: each reads it from its start.
      return `const value = p\n${member.fields.map((index) => `p = scan${index}(bytes, value)\nif (p < 0) return -1`).join('\n')}`
    }
    const below = fieldsBelow(member)
    const object = `if (bytes[p] !== ${0x7b}) return -1\np = ${addObject(member.members, depth + 1)}(bytes, p + 1)`
    if (below.some((index) => fields[index]!.presence === 'required')) return object
    const nulls = below.map((index) => `setNull(values, ${index})`).join('\n')
    const absent = `${nulls}\n${seen.all(numbersBelow(member))}\np = skipNull(bytes, p)`
    return `if (bytes[p] === ${0x6e}) {\n${absent}\n} else {\n${object}\n}`
  }

  const root = addObject(tree.members, 1)
  const optional = fields.flatMap(({ presence }, index) => (presence === 'optional' ? [index] : []))
  const leaves = tree.members.flatMap(leavesOf)
  const needed = leaves.filter((leaf) => leaf.fields.some((index) => fields[index]!.presence !== 'optional'))
  const source = `
const { skipBlanks, skipNull, skipValue, setNull, isSame } = tools
const { names, scanners, values } = parts
${Array.from({ length: tree.size }, (_, number) => `const name${number} = names[${number}]`).join('\n')}
${fields.map((_, index) => `const scan${index} = scanners[${index}]`).join('\n')}
${seen.declare}
${functions.join('\n')}
return function (bytes, at) {
${seen.clear}
${optional.map((index) => `setNull(values, ${index})`).join('\n')}
const end = ${root}(bytes, at)
return ${seen.has(needed.map(({ number }) => number))} ? end : -1
}`
  return { source, names }
}

/** The members of one object, from behind its brace. `cases` leave the position behind the member's value in `p`. */
function objectBody(cases: string, mask: number, deeper: number): string {
  return `
let p = skipBlanks(bytes, at)
if (bytes[p] === ${0x7d}) return p + 1
for (;;) {
  if (bytes[p] !== ${0x22}) return -1
  const start = ++p
  let hash = 0
  for (let byte = bytes[p]; byte !== ${0x22}; byte = bytes[++p]) {
    if (byte < ${0x20} || byte === ${0x5c}) return -1
    hash = (hash << 5) - hash + byte | 0
  }
  const end = p++
  if (bytes[p] !== ${0x3a}) {
    p = skipBlanks(bytes, p)
    if (bytes[p] !== ${0x3a}) return -1
  }
  if (bytes[++p] <= ${0x20}) p = skipBlanks(bytes, p)
  switch (hash & ${mask}) {
${cases}
default:
p = skipValue(bytes, p, ${deeper})
  }
  if (p < 0) return -1
  if (bytes[p] <= ${0x20}) p = skipBlanks(bytes, p)
  const next = bytes[p]
  if (next === ${0x7d}) return p + 1
  if (next !== ${0x2c}) return -1
  if (bytes[++p] <= ${0x20}) p = skipBlanks(bytes, p)
}`
}

function leavesOf(node: PathNode): readonly PathNode[] {
  return node.members.length === 0 ? [node] : node.members.flatMap(leavesOf)
}

type Buckets = { readonly mask: number; readonly hashed: readonly (readonly [number, readonly PathNode[]])[] }

/** By the low bits of their names' hashes: a dense switch finds a member at once. */
function bucketsOf(members: readonly PathNode[]): Buckets {
  const mask = 2 ** Math.ceil(Math.log2(members.length * 4)) - 1
  const hashed = Map.groupBy(members, ({ name }) => hashOf(name) & mask)
  return { mask, hashed: [...hashed] }
}

/** As the generated scanner computes it. */
function hashOf(name: Uint8Array): number {
  let hash = 0
  for (const byte of name) hash = ((hash << 5) - hash + byte) | 0
  return hash
}

const bitsPerMark = 30

/** So many flags in variables of thirty each: small integers are the fastest. */
function makeMarks(name: string, count: number) {
  const variables = Array.from({ length: Math.ceil(count / bitsPerMark) }, (_, index) => `${name}${index}`)
  const at = (number: number): string => variables[Math.floor(number / bitsPerMark)]!
  const bit = (number: number): number => 2 ** (number % bitsPerMark)
  const masks = (numbers: readonly number[]): (readonly [string, number])[] =>
    [...Map.groupBy(numbers, at)].map(([variable, own]) => [variable, own.reduce((mask, one) => mask | bit(one), 0)])
  return {
    declare: `let ${variables.map((variable) => `${variable} = 0`).join(', ')}`,
    clear: variables.map((variable) => `${variable} = 0`).join('\n'),
    /** Gives up on a second time. */
    once: (number: number): string =>
      `if ((${at(number)} & ${bit(number)}) !== 0) return -1\n${at(number)} |= ${bit(number)}`,
    all: (numbers: readonly number[]): string =>
      masks(numbers)
        .map(([variable, mask]) => `${variable} |= ${mask}`)
        .join('\n'),
    has: (numbers: readonly number[]): string =>
      ['true', ...masks(numbers).map(([variable, mask]) => `(${variable} & ${mask}) === ${mask}`)].join(' && '),
  }
}
