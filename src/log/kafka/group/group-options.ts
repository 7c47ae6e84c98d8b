/** A partition that a member of a group may own. */
export type GroupPartition = { readonly topic: string; readonly partition: number }

/**
 * `consumer`: the coordinator assigns, and members move one by one (KIP-848; on by default from Kafka 4.0 on).
 * `classic`: a member assigns, in generations that all members enter together; moved partitions change hands in two.
 */
export type GroupProtocol = 'consumer' | 'classic'

export type GroupOptions = {
  readonly group: string
  /** Each partition of these is owned by one member of the group. */
  readonly topics: readonly string[]
  /**
   * Static membership: a member that ends and comes back under this id within the session timeout has the partitions it
   * had, and nobody else is given them meanwhile. No two members may have the same.
   */
  readonly instanceId?: string
  /** Default: `consumer` where the broker speaks it. A group whose members differ is moved over by the broker. */
  readonly protocol?: GroupProtocol
  /** After how long a silent member loses what it owns. Classic only, default 10 s; else the broker decides (45 s). */
  readonly sessionMs?: number
  /** How long `onRevoked` may take before the coordinator gives the member up. Default: 60 s. */
  readonly rebalanceMs?: number
  /** These are owned now. `lost` aborts when they are lost before it resolves. */
  readonly onAssigned: (partitions: readonly GroupPartition[], lost: AbortSignal) => Promise<void>
  /**
   * These have to be let go. `moved`: they are still owned until it resolves, and nobody else gets them before.
   * `lost`: others may own them at any moment, or do so already: nothing more may be written for them.
   */
  readonly onRevoked: (partitions: readonly GroupPartition[], why: 'moved' | 'lost') => Promise<void>
  readonly onRebalance?: (rebalance: Rebalance) => void
}

/** One change of what a member owns, from when it was told to when it is done. */
export type Rebalance = {
  readonly assigned: number
  readonly moved: number
  readonly lost: number
  readonly owned: number
  readonly ms: number
}
