import type { GroupPartition } from './group-options.ts'
import { nameOf } from './ownership.ts'

export type AssignableMember = {
  readonly id: string
  readonly topics: readonly string[]
  /** What it says it owns. */
  readonly claimed: readonly GroupPartition[]
}

/**
 * Shares partitions among the members of a classic group: as evenly as their topics allow, leaving as many as possible
 * where they are. A partition that somebody else still claims is given to nobody: its owner learns by that to let it go,
 * and joins again; then it is free.
 *
 * @param partitionCounts of each topic that is there.
 */
export function assignPartitions(
  members: readonly AssignableMember[],
  partitionCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly GroupPartition[]> {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const shares = new Map(sorted.map(({ id }) => [id, new Map<string, GroupPartition>()]))
  const claimants = new Map<string, Set<string>>()
  for (const { id, claimed } of sorted) {
    for (const one of claimed) claimants.set(nameOf(one), (claimants.get(nameOf(one)) ?? new Set()).add(id))
  }
  const topics = [...new Set(sorted.flatMap((member) => member.topics))].sort()
  for (const topic of topics) {
    const eligible = sorted.filter((member) => member.topics.includes(topic))
    for (let partition = 0; partition < (partitionCounts.get(topic) ?? 0); partition++) {
      const one = { topic, partition }
      const owner = eligible.find(({ id }) => claimants.get(nameOf(one))?.has(id) === true)
      if (owner !== undefined) shares.get(owner.id)!.set(nameOf(one), one)
    }
  }
  const taken = new Set([...shares.values()].flatMap((share) => [...share.keys()]))
  for (const topic of topics) {
    const eligible = sorted.filter((member) => member.topics.includes(topic))
    for (let partition = 0; partition < (partitionCounts.get(topic) ?? 0); partition++) {
      const one = { topic, partition }
      if (taken.has(nameOf(one))) continue
      const least = eligible.reduce((a, b) => (shares.get(b.id)!.size < shares.get(a.id)!.size ? b : a))
      shares.get(least.id)!.set(nameOf(one), one)
    }
  }
  while (evenOut(sorted, shares));
  return new Map(
    sorted.map(({ id }) => {
      const free = [...shares.get(id)!].filter(([name]) => [...(claimants.get(name) ?? [])].every((by) => by === id))
      return [id, free.map(([, one]) => one)]
    }),
  )
}

/** Moves one partition from who has more to who has at least two fewer; false: nothing is left to move. */
function evenOut(
  members: readonly AssignableMember[],
  shares: ReadonlyMap<string, Map<string, GroupPartition>>,
): boolean {
  const bySize = members.toSorted((a, b) => shares.get(b.id)!.size - shares.get(a.id)!.size)
  for (const from of bySize) {
    const share = shares.get(from.id)!
    for (const to of bySize.toReversed()) {
      if (shares.get(to.id)!.size + 2 > share.size) break
      const found = [...share].findLast(([, { topic }]) => to.topics.includes(topic))
      if (found === undefined) continue
      share.delete(found[0])
      shares.get(to.id)!.set(...found)
      return true
    }
  }
  return false
}
