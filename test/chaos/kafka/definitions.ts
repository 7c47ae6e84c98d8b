/** What the cluster under test computes: the views of the other chaos tests, and their values after every event. */
import type { FeatureView } from '../../../src/definition/feature-view.ts'
import type { Stream } from '../../../src/definition/stream.ts'
import { payments, views } from '../../integration/kill-stream.ts'

export type ChaosDefinitions = {
  readonly stream: Stream
  readonly views: readonly FeatureView[]
  /** Its values are emitted after each event of the entity. */
  readonly emitting: FeatureView
}

/** @param topic Each part of a campaign has raw events of its own. */
export function definitionsOn(topic: string): ChaosDefinitions {
  const stream: Stream = Object.freeze({ ...payments, topic })
  const [spending, risk] = views.map((view): FeatureView => Object.freeze({ ...view, from: stream }))
  const emitting: FeatureView = Object.freeze({ ...spending!, emit: 'event' })
  return { stream, views: [emitting, risk!], emitting }
}
