import { createHash } from 'node:crypto'
import { assert } from '../../base/assert.ts'

/** One of the ways an experiment treats its subjects. */
export type Arm = {
  readonly name: string
  /** Hundredths of the subjects that the experiment has: 50 is half of them. At most two digits after the point. */
  readonly share: number
}

export type Assignment = {
  /** In the order in which they take the buckets, from 0 on. Shares add up to at most 100; who is left is in no arm. */
  readonly arms: readonly Arm[]
  /**
   * Put before the id. Two experiments without a salt, or with the same one, put the same ids into the same buckets:
   * give each its own, or the second only ever sees what the first one made of them.
   */
  readonly salt?: string
  /** Experiments of one layer never share a subject: each has its own part of the layer's hundred buckets. */
  readonly layer?: { readonly name: string; readonly from: number; readonly to: number }
  /** Ids that are in an arm whatever their bucket is, and whatever the layer says. Null: in none. */
  readonly overrides?: Readonly<Record<string, string | null>>
}

/** Shares are hundredths with two digits. */
const finest = 100

/**
 * The arm of a subject; null: in none. Depends on the id and the declared assignment alone, so every process gives the
 * same answer, and gives it again.
 */
export function assign(assignment: Assignment, id: string): string | null {
  const { arms, salt = '', layer, overrides } = assignment
  if (overrides !== undefined && Object.hasOwn(overrides, id)) return overrides[id]!
  if (layer !== undefined) {
    const place = bucketOf(id, layer.name)
    if (place < layer.from || place >= layer.to) return null
  }
  // Whole hundredths go by `% 100`, as everybody computes it; finer shares need the digits below.
  const isWhole = arms.every(({ share }) => Number.isInteger(share))
  const bucket = isWhole ? bucketOf(id, salt) : bucketOf(id, salt, 100 * finest) / finest
  let end = 0
  for (const { name, share } of arms) {
    end += share
    if (bucket < end) return name
  }
  return null
}

/**
 * `md5(salt + id)` as one big-endian integer, modulo the number of buckets: the rule that is easy to repeat in SQL and
 * in Python. MD5 spreads ids evenly, which is all that is asked of it here.
 */
export function bucketOf(id: string, salt = '', buckets = 100): number {
  assert(Number.isSafeInteger(buckets) && buckets > 0 && buckets <= 2 ** 32, 'buckets are counted by 32 bits')
  const digest = createHash('md5').update(salt).update(id).digest()
  let rest = 0
  // Horner's rule, 16 bits at a time: below 2^48 in between.
  for (let at = 0; at < digest.length; at += 2) rest = (rest * 65_536 + digest.readUInt16BE(at)) % buckets
  return rest
}
