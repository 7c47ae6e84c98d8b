import type { Log } from '../log/log.ts'
import type { Plan } from '../plan/plan.ts'
import type { OnlineStore } from '../store/online/online-store.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { EventFollower } from './event-follower.ts'
import { FeatureEvents, featureTopicsOf } from './feature-events.ts'
import type { SourcePosition } from './interval-values.ts'
import { Outputs } from './outputs.ts'
import type { SourceTask } from './source-task.ts'
import type { Tracks } from './tracks.ts'

/** What an engine writes to the log: the outputs on their way there, and the finished values among them. */
export type Emission = {
  readonly outputs: Outputs
  readonly features: FeatureEvents
  readonly follower: EventFollower | undefined
}

type EmissionPlace = {
  readonly tracks: Tracks
  readonly log: Log
  readonly store: OnlineStore
  readonly follower: EventFollower | undefined
}

/** As a checkpoint has it. The tracks are those of the same checkpoint, and the topics of the plan exist. */
export async function restoreEmission(
  plan: Plan,
  { tracks, log, store, follower }: EmissionPlace,
  ends: Checkpoint['outputs'],
): Promise<Emission> {
  const outputs = new Outputs(log, featureTopicsOf(plan))
  await outputs.restore(ends, tracks.nextOffsetOf)
  const features = FeatureEvents.restore(
    plan,
    {
      outputs,
      state: (view, key) => tracks.fold(view)?.table.read(key) ?? null,
      sources: (stream) => positionsOf(tracks.live(stream)?.tasks ?? [], log),
    },
    store,
  )
  await follower?.restore(ends, tracks.nextOffsetOf)
  return { outputs, features, follower }
}

/**
 * What was imported has no order: nothing is over while it is read, and once it is, it has no say. Nothing is added to it
 * by itself.
 */
function positionsOf(tasks: readonly SourceTask[], log: Log): SourcePosition[] {
  return tasks.flatMap(({ source, topic, partition, watermark, next }) => {
    const caughtUp = next >= log.end(topic, partition)
    if (source === 'live') return [{ topic, partition, watermark, caughtUp }]
    return caughtUp ? [] : [{ topic, partition, watermark: -1, caughtUp }]
  })
}
