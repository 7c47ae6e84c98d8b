import { MillraceError, messageOf } from '../base/faults.ts'
import type { HaltedPartition } from './engine-types.ts'

export function engineStopped(fault: Error): MillraceError {
  return new MillraceError('ENGINE_STOPPED', { detail: messageOf(fault) }, { cause: fault })
}

export function partitionHalted({ topic, partition, fault }: HaltedPartition): MillraceError {
  const details = { topic, partition, detail: messageOf(fault) }
  return new MillraceError('PARTITION_HALTED', details, { cause: fault })
}

/** Of outputs that could not be written: whose they were. Null for any other error. */
export function sourcesOf(error: unknown): readonly { readonly topic: string; readonly partition: number }[] | null {
  if (!(error instanceof Error) || !('sources' in error) || !Array.isArray(error.sources)) return null
  return error.sources as readonly { readonly topic: string; readonly partition: number }[]
}

export function faultOf(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
