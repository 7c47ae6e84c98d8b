/**
 * Bugs that somebody might write, each planted by replacing one piece of a source. The simulation must find every one
 * of them. When a piece is not there any more, its mutant fails loudly: move it to where the code went.
 */
export type Mutant = {
  readonly name: string
  /** Below `src/`. */
  readonly file: string
  /** Occurs once in the file. */
  readonly find: string
  readonly replace: string
  /** Found within few seeds: part of every test run. */
  readonly quick?: true
}

export const mutants: readonly Mutant[] = [
  // The log.
  {
    name: 'acknowledged before it is synced',
    file: 'log/embedded/segment-writer.ts',
    find: '    await this.#file.sync()\n',
    replace: '',
    quick: true,
  },
  {
    name: 'a new segment without a sync of its folder',
    file: 'log/embedded/segment-writer.ts',
    find: '    await this.#fileSystem.syncFolder(full.folder)\n',
    replace: '',
  },
  {
    name: 'a failed sync is tried again',
    file: 'log/embedded/segment-writer.ts',
    find: '    await this.#file.sync()\n',
    replace: '    await this.#file.sync().catch(() => this.#file.sync())\n',
  },
  {
    name: 'rename without a sync of the folder',
    file: 'log/embedded/file-system.ts',
    find: '  await fileSystem.syncFolder(place.folder)\n',
    replace: '',
    quick: true,
  },
  {
    name: 'a file in place before its content is synced',
    file: 'log/embedded/file-system.ts',
    find: '    await file.sync()\n  } finally',
    replace: '  } finally',
    quick: true,
  },
  {
    name: 'names of an earlier process are trusted',
    file: 'log/embedded/embedded-log.ts',
    find: '      await syncNames(fileSystem, folder, descriptions)\n',
    replace: '',
  },
  {
    name: 'the id of a new log before its folders are durable',
    file: 'log/embedded/embedded-log.ts',
    find: 'for (const one of [folder, dirname(folder), dirname(dirname(folder))]) await fileSystem.syncFolder(one)',
    replace: 'await fileSystem.syncFolder(dirname(folder))',
  },
  {
    name: 'recovery trusts the page cache',
    file: 'log/embedded/recover.ts',
    find: '    await file.write(group, end.groupPosition)\n',
    replace: '',
  },
  {
    name: 'recovery leaves the torn tail',
    file: 'log/embedded/recover.ts',
    find: '      await file.truncate(end.position)\n',
    replace: '',
  },
  {
    name: 'a partition goes on after a failed write',
    file: 'log/embedded/partition.ts',
    find: '    this.#failure ??= new MillraceError',
    replace: '    void new MillraceError',
  },
  {
    name: 'the log shows what is not yet durable',
    file: 'log/embedded/partition.ts',
    find: '    return this.#segments.at(-1)!.nextOffset\n',
    replace: '    return this.#nextOffset\n',
    quick: true,
  },
  {
    name: 'retention by the oldest record',
    file: 'log/embedded/segment.ts',
    find: 'this.#newestMs = Math.max(this.#newestMs, batch.maxTimestampMs)',
    replace: 'this.#newestMs = batch.baseTimestampMs',
  },
  {
    name: 'who waits is woken one record late',
    file: 'log/waiters.ts',
    find: 'if (waiter.offset < end)',
    replace: 'if (waiter.offset < end - 1)',
    quick: true,
  },

  // Verdicts.
  {
    name: 'the dedupe window is one millisecond short',
    file: 'kernel/verdict.ts',
    find: 'seen.isFound && seen.ts >= this.#watermark - this.#rules.dedupeMs',
    replace: 'seen.isFound && seen.ts > this.#watermark - this.#rules.dedupeMs',
  },
  {
    name: 'an event at the edge of lateness is late',
    file: 'kernel/verdict.ts',
    find: 'ts < this.#watermark - this.#rules.latenessMs',
    replace: 'ts <= this.#watermark - this.#rules.latenessMs',
    quick: true,
  },
  {
    name: 'late events are applied',
    file: 'kernel/verdict.ts',
    find: 'ts < this.#watermark - this.#rules.latenessMs',
    replace: 'ts < 0',
    quick: true,
  },
  {
    name: 'lateness by the clock of the producer',
    file: 'plan/intake.ts',
    find: 'this.#judge.judgeSought(ts, projector.text.hash())',
    replace: 'this.#judge.judgeSought(record.timestampMs, projector.text.hash())',
    quick: true,
  },
  {
    name: 'an event from the far future moves the watermark',
    file: 'plan/intake.ts',
    find: 'if (ts > record.timestampMs + rules.futureMs) return null',
    replace: 'if (ts > record.timestampMs + rules.futureMs + 1) return null',
    quick: true,
  },

  // The kernel.
  {
    name: 'the end of a window is inclusive',
    file: 'kernel/read-state.ts',
    find: 'slab.lowerBound(slot, windowEnd(window, t))',
    replace: 'slab.lowerBound(slot, windowEnd(window, t) + 1)',
    quick: true,
  },
  {
    name: 'the start of a window is exclusive',
    file: 'kernel/read-state.ts',
    find: 'lowerBound(slot, windowStart(window, t))',
    replace: 'lowerBound(slot, windowStart(window, t) + 1)',
    quick: true,
  },
  {
    name: 'events are ordered by arrival',
    file: 'kernel/slab/slab.ts',
    find: 'if (count > 0 && rows[end - width]! >= this.staged[0]!) {',
    replace: 'if (count < 0) {',
    quick: true,
  },
  {
    name: 'raw events are dropped one millisecond early',
    file: 'kernel/slab/slab.ts',
    find: 'return newest + 1 - program.horizonMs - program.spanMs',
    replace: 'return newest + 2 - program.horizonMs - program.spanMs',
  },
  {
    name: 'the time to live is ignored',
    file: 'plan/finish-view.ts',
    find: 'return ttlMs !== null && ageMs > ttlMs',
    replace: 'return ttlMs !== null && ageMs < 0',
    quick: true,
  },
  // The stream.
  {
    name: 'a record is read twice',
    file: 'stream/source-task.ts',
    find: 'this.#next = Math.max(this.#next, next)',
    replace: 'this.#next = Math.max(this.#next, next) - (next % 7 === 3 ? 1 : 0)',
    quick: true,
  },
  {
    name: 'what is left of a read is taken for a gap when a limit is lifted',
    file: 'stream/engine.ts',
    find: 'from += slice.length',
    replace: 'from += sliceRecords',
  },
  {
    name: 'remembered ids are not in the checkpoint',
    file: 'stream/tracks.ts',
    find: '    for (const task of this.tasks) changes.push(...task.takeIdChanges())\n',
    replace: '',
    quick: true,
  },
  {
    name: 'remembered ids are deleted one millisecond early',
    file: 'stream/seen-ids.ts',
    find: 'this.#segments[0].newestTs < oldestTs',
    replace: 'this.#segments[0].newestTs <= oldestTs',
  },
  {
    name: 'ids are forgotten in memory before they were written',
    file: 'kernel/id-table.ts',
    find: ' || this.untaken > this.#total - chunk.size',
    replace: '',
    quick: true,
  },
  {
    name: 'a chunk of ids is as new as its first',
    file: 'kernel/id-chunk.ts',
    find: 'if (ts > this.#newestTs) this.#newestTs = ts',
    replace: 'if (this.#size === 0) this.#newestTs = ts',
  },
  {
    name: 'a restart begins with another segment of ids',
    file: 'stream/seen-ids.ts',
    find: '      this.#next = segment + 1\n',
    replace: '',
  },
  {
    name: 'the checkpoint does not wait for its outputs',
    file: 'stream/outputs.ts',
    find: '    const results = await Promise.allSettled(',
    replace: '    const results: PromiseSettledResult<unknown>[] = []\n    void Promise.allSettled(',
    quick: true,
  },
  {
    name: 'failed outputs are forgotten',
    file: 'stream/outputs.ts',
    find: '    throwIfFailed(batches, results)\n',
    replace: '',
  },
  {
    name: 'outputs of a recovery are not recognised',
    file: 'stream/outputs.ts',
    find: '    if (this.#written.has(topic, source)) return\n    const partition',
    replace: '    const partition',
  },
  {
    name: 'ends of outputs beyond what is still to be judged',
    file: 'stream/outputs.ts',
    find: 'return Math.min(end, aheadFrom.get(`${topic}/${partition}`) ?? end)',
    replace: 'return end',
  },
  {
    name: 'an output just ahead of the checkpoint is taken for judged',
    file: 'stream/outputs.ts',
    find: 'source.offset >= nextOffset',
    replace: 'source.offset > nextOffset',
  },
  {
    name: 'progress from after the states of a checkpoint',
    file: 'stream/engine.ts',
    find: '    const checkpoint: Checkpoint = { ...cut, outputs }\n',
    replace: '    const checkpoint: Checkpoint = { ...cut, tracks: this.#tracks.progress().tracks, outputs }\n',
  },
  {
    name: 'counters from after the states of a checkpoint',
    file: 'stream/engine.ts',
    find: '    const checkpoint: Checkpoint = { ...cut, outputs }\n',
    replace: '    const checkpoint: Checkpoint = { ...cut, views: this.#tracks.progress().views, outputs }\n',
  },
  {
    name: 'an error of the store is swallowed',
    file: 'stream/engine.ts',
    find: '    await store.write(changes)\n',
    replace: '    await store.write(changes).catch(() => undefined)\n',
  },
  {
    name: 'changed states are evicted',
    file: 'stream/state-table.ts',
    find: '      if ((flags & flagDirty) !== 0) continue\n',
    replace: '',
    quick: true,
  },
  {
    name: 'the watermark is not restored',
    file: 'stream/source-task.ts',
    find: 'watermark: from.progress?.watermark ?? -1',
    replace: 'watermark: -1',
    quick: true,
  },
  {
    name: 'verdict counters are not restored',
    file: 'stream/source-task.ts',
    find: 'from.progress === null ? makeCounts() : { ...from.progress.counts }',
    replace: 'makeCounts()',
    quick: true,
  },
  {
    name: 'who waits for all looks at one partition',
    file: 'stream/engine.ts',
    find: 'Math.min(...there.map((task) => task.next))',
    replace: 'Math.max(...there.map((task) => task.next))',
  },

  // Pages and tiles.
  {
    name: 'pages that changed are not in the checkpoint',
    file: 'stream/state-table.ts',
    find: 'for (const [name, bytes] of this.#slab.takePageChanges(slot)) changes.push([pageKey(key, name), bytes])',
    replace: 'this.#slab.takePageChanges(slot)',
  },
  {
    name: 'a page that changed keeps the partials of before',
    file: 'kernel/paged/span-store.ts',
    find: '    span.partials = null\n    span.encoded = null\n  }\n\n  /** The records of a span, and',
    replace: '  }\n\n  /** The records of a span, and',
  },
  {
    name: 'the tile under the tail of a window counts',
    file: 'kernel/tiles.ts',
    find: 'lowerBound(numbers, start / hopMs); index',
    replace: 'Math.max(0, lowerBound(numbers, start / hopMs) - 1); index',
  },
  {
    name: 'tiles go a hop too early',
    file: 'kernel/tiling.ts',
    find: 'return Math.floor((readableFrom - reachMs) / hopMs)\n',
    replace: 'return Math.floor((readableFrom - reachMs) / hopMs) + 1\n',
  },

  // Other definitions, and forgetting.
  {
    name: 'closing does not wait for what was asked before',
    file: 'stream/engine.ts',
    find: '      before = this.#exclusive\n      await before\n',
    replace: '      before = this.#exclusive\n',
  },
  {
    name: 'a plan is taken over before its views have caught up',
    file: 'stream/gate.ts',
    find: 'return reader.next === (limits.get(placeOf(reader)) ?? reader.next)',
    replace: 'return reader.next <= (limits.get(placeOf(reader)) ?? reader.next)',
  },
  {
    name: 'readers go on while everything is held',
    file: 'stream/gate.ts',
    find: 'return this.#limits?.get(placeOf(reader)) ?? Number.POSITIVE_INFINITY',
    replace: 'return Number.POSITIVE_INFINITY',
  },
  {
    name: 'what is built emits at once',
    file: 'stream/tracks.ts',
    find: 'live: !known && (serving === null || !replaces(stream, plan, serving))',
    replace: 'live: true',
  },
  {
    name: 'a forgetting that failed is taken for not done',
    file: 'stream/engine.ts',
    find: '            this.#halt(error)\n            throw error\n',
    replace: '            throw error\n',
  },
  {
    name: 'what was forgotten is not read at the start',
    file: 'stream/engine.ts',
    find: 'forgotten: this.#forgotten.all.length,',
    replace: 'forgotten: 1_000,',
  },
  {
    name: 'the events of a forgotten entity come back',
    file: 'plan/forgotten.ts',
    find: 'prefixes?.some((prefix) => offset < (prefix[topic]?.[partition] ?? 0)) ?? false',
    replace: 'prefixes === undefined && offset < 0',
  },
  {
    name: 'states of an abandoned view are left in the store',
    file: 'stream/sweep-store.ts',
    find: '    if (changes.length === 0) return\n',
    replace: '    if (changes.length >= 0) return\n',
  },
]

/** The source with the bug in it. Throws when its place is not there, or not there once. */
export function plant({ name, file, find, replace }: Mutant, source: string): string {
  const count = source.split(find).length - 1
  if (count !== 1) throw new Error(`mutant "${name}": ${JSON.stringify(find)} occurs ${count} times in src/${file}`)
  return source.replace(find, () => replace)
}

export function mutantUrl({ file }: Mutant): string {
  return new URL(`../../src/${file}`, import.meta.url).href
}
