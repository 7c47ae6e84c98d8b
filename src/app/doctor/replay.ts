import { KeyStates } from '../../kernel/key-states.ts'
import { encodeState } from '../../kernel/state-codec.ts'
import { isErased } from '../../plan/erasure.ts'
import { Forgotten, readForgotten } from '../../plan/forgotten.ts'
import { Intake } from '../../plan/intake.ts'
import { OpenRejections } from '../../plan/open-rejections.ts'
import type { StreamPlan, ViewPlan } from '../../plan/plan.ts'
import type { SourceProgress, TrackProgress, VerdictCounts } from '../../stream/checkpoint.ts'

import { SeenIdSegments } from '../../stream/seen-ids.ts'
import { isPageKey, ownedKinds, ownerIn, rejectionsKey, stateKey } from '../../stream/store-keys.ts'
import { recordsOf } from './check-rejections.ts'
import { rebuildHint } from './check-store.ts'
import type { Examined } from './examined.ts'
import type { Findings } from './finding.ts'
import { IdTable } from '../../kernel/id-table.ts'

/**
 * The whole state computed anew: the log up to the checkpoint's offsets, through the same verdicts and the same fold,
 * into memory. Every state of the store must be equal to the byte, and so must verdicts, watermarks and ids. Needs as
 * much memory as there is state.
 */
export async function checkReplay(examined: Examined, findings: Findings): Promise<void> {
  const { checkpoint, log, plans } = examined
  if (log === null) return
  const forgotten = new Forgotten()
  for (const one of (await readForgotten(log)).all.slice(0, checkpoint.forgotten)) forgotten.add(one)
  for (const track of checkpoint.tracks) {
    const stream = plans.flatMap(({ streams }) => streams).find((one) => one.fingerprint === track.stream)
    const trimmed = track.sources.find(({ topic, partition }) => log.start(topic, partition) > 0)
    if (stream === undefined) {
      const what = `${track.name}: its definition is not at hand, so it was not computed anew`
      findings.warn('replay', what, 'Give the module with the definitions: `millrace doctor definitions.ts`.')
    } else if (trimmed !== undefined) {
      const what = `${track.name}: the log begins at offset ${log.start(trimmed.topic, trimmed.partition)} of ${trimmed.topic}/${trimmed.partition}`
      findings.warn(
        'replay',
        `${what}, so what came before cannot be computed anew`,
        'Nothing to do: retention did it.',
      )
    } else await replayTrack({ track, stream, forgotten, examined }, findings)
  }
}

type Replay = {
  readonly track: TrackProgress
  readonly stream: StreamPlan
  readonly forgotten: Forgotten
  readonly examined: Examined
}

type Rebuilt = { readonly view: ViewPlan; readonly states: KeyStates }

async function replayTrack(replay: Replay, findings: Findings): Promise<void> {
  const { track, examined } = replay
  const views = track.views.flatMap((fingerprint): Rebuilt[] => {
    const view = examined.plans.flatMap((plan) => plan.views).find((one) => one.fingerprint === fingerprint)
    return view === undefined ? [] : [{ view, states: new KeyStates(view.program) }]
  })
  let wrong = 0
  for (const source of track.sources) wrong += await replaySource(replay, source, { views, findings })
  for (const rebuilt of views) wrong += compareStates(examined, rebuilt, findings)
  if (wrong > 0) return
  const keys = views.reduce((sum, { states }) => sum + states.count, 0)
  const records = track.sources.reduce((sum, { counts }) => sum + counts.records, 0)
  findings.ok('replay', `${track.name}: ${records} records give the same ${keys} states, to the byte`)
}

async function replaySource(
  { track, stream, forgotten, examined }: Replay,
  source: SourceProgress,
  { views, findings }: { views: readonly Rebuilt[]; findings: Findings },
): Promise<number> {
  const { topic, partition, next } = source
  const kind = topic === stream.topic ? 'live' : 'history'
  const seen = new IdTable()
  const intake = new Intake(stream, partition, { watermark: -1, seen, source: kind })
  const counts: VerdictCounts = { records: 0, accepted: 0, duplicate: 0, late: 0, refused: 0, conflicts: 0 }
  for await (const record of recordsOf(examined.log!, topic, partition, next)) {
    if (record.offset % 1000 === 0) {
      const phase = `computing ${track.name} anew from ${topic}/${partition}, records`
      examined.onProgress({ phase, done: record.offset, total: next })
    }
    if (intake.takeMark(record)) continue
    const taken = intake.take(record)
    counts.records += 1
    counts[taken.verdict] += 1
    if (taken.verdict === 'duplicate' && taken.conflict) counts.conflicts += 1
    if (taken.verdict !== 'accepted') continue
    for (const { view, states } of views) {
      const projected = view.project(taken.event)
      if (projected.outcome !== 'applied') continue
      if (isErased(view, taken.event)) continue
      if (forgotten.covers(view.entity, projected.key, { topic, partition, offset: record.offset })) continue
      states.apply(projected.key, projected.event)
    }
  }
  const at = `${track.name}, ${topic}/${partition}`
  const differences: string[] = []
  for (const verdict of Object.keys(counts) as (keyof VerdictCounts)[]) {
    if (counts[verdict] !== source.counts[verdict]) {
      differences.push(`${verdict} ${source.counts[verdict]} instead of ${counts[verdict]}`)
    }
  }
  if (intake.watermark !== source.watermark) {
    differences.push(`a watermark of ${source.watermark} instead of ${intake.watermark}`)
  }
  if (differences.length > 0) findings.fault('replay', `${at}: the store has ${differences.join(', ')}`, rebuildHint)
  const place = { track: track.track, topic: kind === 'live' ? 0 : 1, partition }
  const lost = idsLost(seen, new SeenIdSegments(place).restore(examined.store), intake.forgetsBefore)
  const open = examined.store.get(rejectionsKey(place)) ?? OpenRejections.none().encode()
  if (Buffer.compare(open, intake.open.encode()) !== 0) {
    differences.push('open rejections')
    findings.fault('replay', `${at}: the rejections that can still be replayed differ in the store`, rebuildHint)
  }
  if (lost > 0)
    findings.fault('replay', `${at}: ${lost} remembered ids are missing or differ in the store`, rebuildHint)
  return differences.length + lost
}

/** Only those that can still decide a verdict. */
function idsLost(rebuilt: IdTable, stored: IdTable, fromTs: number): number {
  let lost = 0
  for (const [id, { ts, hash }] of rebuilt) {
    const found = stored.get(id)
    if (ts >= fromTs && (found?.ts !== ts || found.hash !== hash)) lost += 1
  }
  for (const [id, { ts }] of stored) if (ts >= fromTs && rebuilt.get(id) === undefined) lost += 1
  return lost
}

function compareStates({ store }: Examined, { view, states }: Rebuilt, findings: Findings): number {
  let [missing, different, foreign, stored] = [0, 0, 0, 0]
  let example = ''
  const expected = new Set<string>()
  for (const [own, state] of states.entries()) {
    const key = stateKey(view.fingerprint, own)
    expected.add(Buffer.from(key).toString('latin1'))
    const found = store.get(key)
    const same = found !== undefined && Buffer.compare(found, encodeState(view.program, state)) === 0
    if (same) continue
    if (found === undefined) missing += 1
    else different += 1
    example ||= Buffer.from(own).toString('hex')
  }
  for (const { kind, owner, bytes } of ownedKinds) {
    if (owner !== 'view') continue
    for (const [key] of store.range(Uint8Array.of(kind), Uint8Array.of(kind + 1))) {
      if (ownerIn(key, bytes) !== view.fingerprint || isPageKey(key)) continue
      stored += 1
      if (!expected.has(Buffer.from(key).toString('latin1'))) foreign += 1
    }
  }
  if (missing + different + foreign === 0) return 0
  const what = `of ${states.count} states ${missing} are missing and ${different} differ, ${foreign} of ${stored} stored have no event in the log`
  findings.fault(
    'replay',
    `${view.name}: ${what}${example === '' ? '' : `; the first is of key ${example}`}`,
    rebuildHint,
  )
  return missing + different + foreign
}
