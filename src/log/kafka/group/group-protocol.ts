import type { Cluster } from '../cluster.ts'
import type { Coordinator } from './coordinator.ts'
import type { GroupOptions } from './group-options.ts'
import type { Lease } from './lease.ts'
import type { Ownership } from './ownership.ts'

/** How a member and its coordinator talk. Whoever runs it calls one thing at a time, but for `leave`. */
export interface MemberProtocol {
  readonly memberId: string
  readonly sessionMs: number
  /** One exchange with the coordinator; resolves with how long the next one can wait. Throws what it is answered. */
  exchange(): Promise<number>
  /** What was owned is lost. `unknown`: the coordinator no longer knows the member as it was. */
  restart(unknown: boolean): void
  /** Tells the coordinator, which has others to give the partitions to. */
  leave(): Promise<void>
}

export type MemberParts = {
  readonly options: GroupOptions & { readonly rebalanceMs: number }
  readonly cluster: Cluster
  readonly coordinator: Coordinator
  readonly lease: Lease
  readonly ownership: Ownership
}
