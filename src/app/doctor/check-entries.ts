import { messageOf } from '../../base/faults.ts'
import { PageCache } from '../../kernel/paged/page-cache.ts'
import { againInMemory, decodeState } from '../../kernel/state-codec.ts'
import type { ViewPlan } from '../../plan/plan.ts'
import { OpenRejections } from '../../plan/open-rejections.ts'
import { readProgress, viewsWithProgress } from '../../stream/interval-entries.ts'
import { decodeIds, encodeIds } from '../../stream/seen-ids.ts'
import {
  idsKey,
  isPageKey,
  kindIds,
  kindIntervals,
  kindOpenInterval,
  ownedKinds,
  ownerIn,
  pageSource,
  trackOwner,
} from '../../stream/store-keys.ts'
import { rebuildHint } from './check-store.ts'
import type { Examined } from './examined.ts'
import type { Findings } from './finding.ts'

/** Of one view: what its states add up to. */
type ViewTally = {
  keys: number
  applied: number
  wrong: number
  /** Records of pages that are there, and that the states speak of. */
  readonly pages: { stored: number; named: number }
  readonly view: ViewPlan | null
}

/** Of one source of a track: its segments of ids, in order. */
type IdsTally = { segments: number[]; newestTs: number; wrong: number }

/** Findings of one kind that are told one by one. */
const toldMax = 3

/**
 * Every entry of the store: each state and each segment of ids must decode, and encode to the same bytes, since both
 * forms are canonical. What states count must be what the checkpoint counts.
 */
export function checkEntries({ checkpoint, store, plans, onProgress }: Examined, findings: Findings): void {
  const views = new Map<string, ViewTally>()
  for (const fingerprint of checkpoint.tracks.flatMap((track) => track.views)) {
    const view = plans.flatMap((plan) => plan.views).find((one) => one.fingerprint === fingerprint) ?? null
    views.set(fingerprint, { keys: 0, applied: 0, wrong: 0, pages: { stored: 0, named: 0 }, view })
  }
  const tracks = new Set(checkpoint.tracks.map(({ track }) => trackOwner(track)))
  const ids = new Map<string, IdsTally>()
  let [done, left, intervals, unknown] = [0, 0, 0, 0]
  for (const [key, value] of store.range(Uint8Array.of(1), Uint8Array.of(255))) {
    if (++done % 1000 === 0) onProgress({ phase: 'checking the store, entries', done, total: null })
    const kind = ownedKinds.find((one) => one.kind === key[0])
    if (kind === undefined) {
      if (key[0] === kindOpenInterval || key[0] === kindIntervals) intervals += 1
      else unknown += 1
      continue
    }
    const owner = ownerIn(key, kind.bytes)
    if (kind.owner === 'view') {
      const tally = views.get(owner)
      if (tally === undefined) left += 1
      else if (isPageKey(key)) tally.pages.stored += 1
      else tallyState({ key, value }, { tally, store }, findings)
    } else if (!tracks.has(owner)) left += 1
    else if (key[0] === kindIds) tallyIds({ key, value }, ids, findings)
    else checkOpenRejections({ key, value }, findings)
  }
  sumStates(checkpoint.views, views, findings)
  sumIds(checkpoint, { ids, plans }, findings)
  checkIntervals(store, intervals, findings)
  if (unknown > 0) {
    const what = `${unknown} entries are of no kind that this release knows`
    findings.fault('store', what, `A newer release wrote them: use that one. Or: ${rebuildHint}`)
  }
  if (left > 0) {
    const what = `${left} entries belong to definitions that are not kept any more`
    findings.warn('store', what, 'Nothing to do: a running process deletes them by and by.')
  }
}

type Entry = { readonly key: Uint8Array; readonly value: Uint8Array }

type Tallied = { readonly tally: ViewTally; readonly store: Examined['store'] }

function tallyState({ key, value }: Entry, { tally, store }: Tallied, findings: Findings): void {
  tally.keys += 1
  const { view } = tally
  if (view === null) return
  const wrong = (what: string): void => {
    if (tally.wrong++ < toldMax) findings.fault('states', `${view.name}, entry ${hex(key)}: ${what}`, rebuildHint)
  }
  try {
    const state = decodeState(view.program, value, pageSource(store, Uint8Array.from(key), new PageCache(0)))
    tally.applied += state.applied
    const { bytes, pages } = againInMemory(view.program, state)
    tally.pages.named += pages
    if (Buffer.compare(bytes, value) !== 0) wrong('it is not in canonical form')
  } catch (error) {
    wrong(`it does not decode: ${messageOf(error)}`)
  }
}

function sumStates(
  counts: Examined['checkpoint']['views'],
  views: ReadonlyMap<string, ViewTally>,
  findings: Findings,
): void {
  for (const [fingerprint, { keys, applied, wrong, pages, view }] of views) {
    if (view === null) {
      const what = `${keys} keys of view ${fingerprint}, whose definition is not at hand, were not looked at`
      findings.warn('states', what, 'Give the module with the definitions: `millrace doctor definitions.ts`.')
      continue
    }
    const counted = counts[fingerprint]?.applied
    if (wrong === 0 && pages.stored !== pages.named) {
      const what = `${view.name}: its states have ${pages.named} pages, and there are ${pages.stored}`
      findings.fault('states', what, rebuildHint)
    }
    if (wrong > toldMax) findings.fault('states', `${view.name}: ${wrong} states are damaged`, rebuildHint)
    if (wrong === 0 && counted !== applied) {
      const what = `${view.name}: its ${keys} states count ${applied} events, and the checkpoint ${counted ?? 'none'}`
      findings.fault('states', what, rebuildHint)
    } else if (wrong === 0) findings.ok('states', `${view.name}: ${keys} keys, ${applied} events applied`)
  }
}

function tallyIds({ key, value }: Entry, ids: Map<string, IdsTally>, findings: Findings): void {
  const source = hex(key.subarray(0, -6))
  const tally = ids.get(source) ?? { segments: [], newestTs: -1, wrong: 0 }
  ids.set(source, tally)
  const segment = Number(BigInt(`0x${hex(key.subarray(-6))}`))
  const wrong = (what: string): void => {
    if (tally.wrong++ < toldMax) findings.fault('ids', `segment ${segment} of ${source}: ${what}`, rebuildHint)
  }
  const before = tally.segments.at(-1)
  if (before !== undefined && segment !== before + 1) wrong(`the segment before it is ${before}: some are missing`)
  tally.segments.push(segment)
  try {
    const remembered = decodeIds(value)
    for (const { ts } of remembered) tally.newestTs = Math.max(tally.newestTs, ts)
    if (Buffer.compare(encodeIds(remembered), value) !== 0) wrong('it is not in canonical form')
  } catch (error) {
    wrong(`it does not decode: ${messageOf(error)}`)
  }
}

function checkOpenRejections({ key, value }: Entry, findings: Findings): void {
  const wrong = (what: string): void => findings.fault('open rejections', `${hex(key)}: ${what}`, rebuildHint)
  try {
    if (Buffer.compare(OpenRejections.decode(value).encode(), value) !== 0) wrong('they are not in canonical form')
  } catch (error) {
    wrong(`they do not decode: ${messageOf(error)}`)
  }
}

function checkIntervals(store: Examined['store'], entries: number, findings: Findings): void {
  if (entries === 0) return
  try {
    const views = viewsWithProgress(store)
    for (const view of views) readProgress(store, view)
    findings.ok('intervals', `${entries} entries of ${views.length} views`)
  } catch (error) {
    findings.fault('intervals', messageOf(error), rebuildHint)
  }
}

/** The event that set the watermark is always among the remembered ones. */
function sumIds(
  checkpoint: Examined['checkpoint'],
  { ids, plans }: { ids: ReadonlyMap<string, IdsTally>; plans: Examined['plans'] },
  findings: Findings,
): void {
  let [segments, wrong] = [0, 0]
  for (const { track, stream, name, sources } of checkpoint.tracks) {
    const plan = plans.flatMap(({ streams }) => streams).find((one) => one.fingerprint === stream)
    for (const { topic, partition, watermark } of sources) {
      const number = plan === undefined || topic === plan.topic ? 0 : 1
      const tally = ids.get(hex(idsKey({ track, topic: number, partition }, 0).subarray(0, -6)))
      segments += tally?.segments.length ?? 0
      wrong += tally?.wrong ?? 0
      if (plan === undefined || plan.id === null || watermark < 0 || tally?.wrong) continue
      if (tally?.newestTs === watermark) continue
      wrong += 1
      const newest =
        tally === undefined ? 'none is remembered' : `the newest that is remembered is at ${tally.newestTs}`
      const what = `${name}, ${topic}/${partition}: the watermark is ${watermark}, and of the ids ${newest}`
      findings.fault('ids', what, rebuildHint)
    }
  }
  if (wrong === 0) findings.ok('ids', `${segments} segments`)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
