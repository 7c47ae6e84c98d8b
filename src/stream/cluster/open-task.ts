import { MillraceError } from '../../base/faults.ts'
import { firstRetained } from '../../plan/coverage.ts'
import type { Plan, StreamPlan } from '../../plan/plan.ts'
import { featureStateTopic, ingestStateTopic, processedEventsTopic } from '../../plan/topics.ts'
import { StoreSection } from './store-section.ts'
import type { EngineOptions } from '../engine-types.ts'
import { FeatureEvents, featureTopicsOf } from '../feature-events.ts'
import { Outputs } from '../outputs.ts'
import { stateBytesMax } from '../state-table.ts'
import { Changelog } from './changelog.ts'
import { foldWork, ingestWork, partitionsOf } from './cluster-topics.ts'
import { type FoldProgress, FoldTask } from './fold-task.ts'
import { type IngestProgress, IngestTask } from './ingest-task.ts'
import { LocalSnapshots } from './local-snapshots.ts'
import type { Commit } from './state-record.ts'
import type { Task } from './task.ts'
import type { Checkpoints } from './task-runner.ts'

export type TaskParts = Pick<EngineOptions, 'plan' | 'log' | 'store' | 'clock' | 'keysMax'> & {
  readonly makeId: () => string
  readonly appendBytesMax?: number
  readonly observer?: EngineOptions['observer']
  readonly entities: ReadonlyMap<string, { readonly streams: readonly StreamPlan[] }>
}

/** Any log takes so much at once. */
const appendBytesMaxDefault = 2 * 1024 * 1024

type Opened<T extends Task> = { readonly task: T; readonly checkpoints: Checkpoints }

export async function openIngest(parts: TaskParts, stream: StreamPlan, partition: number): Promise<Opened<IngestTask>> {
  const { log, store, clock, makeId, appendBytesMax = appendBytesMaxDefault } = parts
  const section = new StoreSection(store, `ingest/${stream.name}/${partition}`)
  const topic = ingestStateTopic(stream.name)
  const work = ingestWork(stream, log)
  const checkpoints = await Changelog.take({ log, clock, topic, partition, section, makeId, work, appendBytesMax })
  const { commit } = checkpoints
  tellDamage(parts, { topic, partition }, checkpoints.damage)
  await log.refresh(stream.topic)
  const next = startOf(parts, commit, { topic: stream.topic, partition })
  const outputs = new Outputs(log)
  const progress = (commit?.progress ?? null) as IngestProgress | null
  const task = new IngestTask({ stream, partition, log, clock, store: section, outputs }, { next, progress })
  await refreshAll(parts, outputs)
  await outputs.restore(commit?.outputs ?? {}, task.nextOffsetOf)
  return { task, checkpoints }
}

export async function openFold(parts: TaskParts, entity: string, partition: number): Promise<Opened<FoldTask>> {
  const { log, store, clock, makeId, plan, appendBytesMax = appendBytesMaxDefault } = parts
  const section = new StoreSection(store, `fold/${entity}/${partition}`)
  const { topic, work } = foldPlace(parts, entity)
  const checkpoints = await Changelog.take({ log, clock, topic, partition, section, makeId, work, appendBytesMax })
  tellDamage(parts, { topic, partition }, checkpoints.damage)
  const task = await makeFold(parts, { entity, partition, section, commit: checkpoints.commit })
  await refreshAll(parts, task.outputs)
  await task.outputs.restore(checkpoints.commit?.outputs ?? {}, task.nextOffsetOf)
  const state: Parameters<typeof FeatureEvents.restore>[1]['state'] = (view, key) =>
    task.view(view)?.table.read(key) ?? null
  task.features = FeatureEvents.restore(plan, { outputs: task.outputs, state, sources: () => [] }, section)
  return { task, checkpoints }
}

/** Folds what the owner folds, to be read here; and writes nothing but its own snapshots. */
export async function openFollower(parts: TaskParts, entity: string, partition: number): Promise<Opened<FoldTask>> {
  const { log, store } = parts
  const section = new StoreSection(store, `follow/${entity}/${partition}`)
  const { topic, work } = foldPlace(parts, entity)
  const input = processedEventsTopic(entity)
  await log.refresh(input)
  const isUsable = (next: number): boolean => next >= log.start(input, partition) && next <= log.end(input, partition)
  const checkpoints = await LocalSnapshots.open({ log, topic, partition, section, work }, isUsable)
  const task = await makeFold(parts, { entity, partition, section, commit: checkpoints.commit })
  return { task, checkpoints }
}

function foldPlace({ log, entities }: TaskParts, entity: string): { topic: string; work: string } {
  const input = processedEventsTopic(entity)
  return {
    topic: featureStateTopic(entity),
    work: foldWork(entity, entities.get(entity)!.streams, partitionsOf(log, input)),
  }
}

async function makeFold(
  parts: TaskParts,
  from: { entity: string; partition: number; section: StoreSection; commit: Commit | null },
): Promise<FoldTask> {
  const { log, plan, keysMax, entities } = parts
  const { entity, partition, section, commit } = from
  const topic = processedEventsTopic(entity)
  const partitions = partitionsOf(log, topic)
  // Only now: the checkpoint may be of another process, which has read further than this one knew the topic to be.
  await log.refresh(topic)
  const streams = entities
    .get(entity)!
    .streams.map((stream) => ({ stream, partitions: partitionsOf(log, stream.topic) }))
  const place = {
    topic,
    partition,
    partitions,
    streams,
    entity,
    store: section,
    limits: { keysMax, bytesMax: Math.ceil(stateBytesMax / partitions) },
    outputs: new Outputs(log, featureTopicsOf(of(plan, entity)), []),
  }
  const progress = (commit?.progress ?? null) as FoldProgress | null
  const cutOff: Record<string, { timestampMs: number | null }> = {}
  for (const { stream, partitions: count } of progress === null ? streams : []) {
    const first = await firstRetained(log, stream.topic, count)
    if (first === null) continue
    for (const { fingerprint, entity: one } of stream.views) if (one === entity) cutOff[fingerprint] = first
  }
  return new FoldTask(place, { next: startOf(parts, commit, { topic, partition }), progress, cutOff })
}

function of(plan: Plan, entity: string): Plan {
  return { ...plan, views: plan.views.filter((view) => view.entity === entity) }
}

function tellDamage({ observer }: TaskParts, place: { topic: string; partition: number }, fault: Error | null): void {
  if (fault !== null) observer?.damage?.({ ...place, fault })
}

/** Where a task goes on. Throws when its input does not hold that any more. */
function startOf(
  { log }: TaskParts,
  commit: Commit | null,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): number {
  const [start, end] = [log.start(topic, partition), log.end(topic, partition)]
  const offset = commit?.next ?? start
  if (offset >= start && offset <= end) return offset
  throw new MillraceError('LOG_OFFSET_OUT_OF_RANGE', { topic, partition, offset, start, end })
}

/** Others write there too: what they wrote has to be seen. */
async function refreshAll({ log }: TaskParts, outputs: Outputs): Promise<void> {
  for (const topic of outputs.topics) await log.refresh(topic)
}
