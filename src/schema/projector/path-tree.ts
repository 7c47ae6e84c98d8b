import { type Fields, pathOf } from '../field.ts'

/** A member of an object on the way to declared fields: it holds their values, or an object with more such members. */
export type PathNode = {
  /** In UTF-8. */
  readonly name: Uint8Array
  /** Unique in the tree, from 0 in order. */
  readonly number: number
  /** Fields whose value this is. */
  readonly fields: readonly number[]
  readonly members: readonly PathNode[]
}

export type PathTree = { readonly members: readonly PathNode[]; readonly size: number }

const depthMax = 60
/** Their code lies in one another, and whatever walks it goes as deep: engines have limits to that, and stacks. */
const membersMax = 256

/**
 * The members of an event that declared fields are in, by their paths. Null where they are ones that a comparison of
 * bytes does not do justice to: a value that is a field and leads to others, a name that is
 * empty or not well formed. Null too where there are more than 256.
 */
export function makePathTree(fields: Fields): PathTree | null {
  let size = 0
  type Growing = Omit<PathNode, 'fields' | 'members'> & { fields: number[]; members: Growing[] }
  const roots: Growing[] = []
  for (const [index, [name, field]] of Object.entries(fields).entries()) {
    const steps = pathOf(name, field).split('.')
    if (steps.length > depthMax || !steps.every((step) => step !== '' && step.isWellFormed())) return null
    let members = roots
    let node: Growing | undefined
    for (const step of steps) {
      const bytes = Buffer.from(step)
      node = members.find((member) => bytes.equals(member.name))
      if (node === undefined) {
        node = { name: bytes, number: size++, fields: [], members: [] }
        members.push(node)
      }
      members = node.members
    }
    node!.fields.push(index)
  }
  const isMixed = ({ fields: own, members }: PathNode): boolean =>
    (own.length > 0 && members.length > 0) || members.some(isMixed)
  return size > membersMax || roots.some(isMixed) ? null : { members: roots, size }
}

/** Every field in or below a member. */
export function fieldsBelow({ fields, members }: PathNode): number[] {
  return [...fields, ...members.flatMap(fieldsBelow)]
}

/** The numbers of every member below one. */
export function numbersBelow({ members }: PathNode): number[] {
  return members.flatMap((member) => [member.number, ...numbersBelow(member)])
}
