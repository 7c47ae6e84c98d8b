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
}

export const mutants: readonly Mutant[] = [
  // The log.
  {
    name: 'acknowledged before it is synced',
    file: 'log/embedded/segment-writer.ts',
    find: '    await this.#file.sync()\n',
    replace: '',
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
  },
  {
    name: 'a file in place before its content is synced',
    file: 'log/embedded/file-system.ts',
    find: '    await file.sync()\n  } finally',
    replace: '  } finally',
  },
  {
    name: 'names of an earlier process are trusted',
    file: 'log/embedded/embedded-log.ts',
    find: '      await syncNames(fileSystem, folder, descriptions)\n',
    replace: '',
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
  },
  {
    name: 'retention by the oldest record',
    file: 'log/embedded/segment.ts',
    find: 'this.#newestMs = Math.max(this.#newestMs, batch.maxTimestampMs)',
    replace: 'this.#newestMs = batch.baseTimestampMs',
  },
  {
    name: 'who waits is woken one record late',
    file: 'log/embedded/waiters.ts',
    find: 'if (waiter.offset < end)',
    replace: 'if (waiter.offset < end - 1)',
  },

  // Verdicts.
  {
    name: 'the dedupe window is one millisecond short',
    file: 'kernel/verdict.ts',
    find: 'first.ts >= this.#watermark - this.#rules.dedupeMs',
    replace: 'first.ts > this.#watermark - this.#rules.dedupeMs',
  },
  {
    name: 'an event at the edge of lateness is late',
    file: 'kernel/verdict.ts',
    find: 'if (ts < this.#watermark - this.#rules.latenessMs)',
    replace: 'if (ts <= this.#watermark - this.#rules.latenessMs)',
  },
  {
    name: 'late events are applied',
    file: 'kernel/verdict.ts',
    find: 'if (ts < this.#watermark - this.#rules.latenessMs)',
    replace: 'if (ts < 0)',
  },
  {
    name: 'lateness by the clock of the producer',
    file: 'plan/intake.ts',
    find: 'this.#judge.judge({ id: eventId, ts, hash })',
    replace: 'this.#judge.judge({ id: eventId, ts: record.timestampMs, hash })',
  },
  {
    name: 'an event from the far future moves the watermark',
    file: 'plan/intake.ts',
    find: 'ts > record.timestampMs + stream.rules.futureMs',
    replace: 'ts > record.timestampMs + stream.rules.futureMs + 1',
  },

  // The kernel.
  {
    name: 'the end of a window is inclusive',
    file: 'kernel/read.ts',
    find: 'high: lowerBound(ts, end, low)',
    replace: 'high: lowerBound(ts, end + 1, low)',
  },
  {
    name: 'the start of a window is exclusive',
    file: 'kernel/read.ts',
    find: 'lowerBound(ts, end - window.lengthMs)',
    replace: 'lowerBound(ts, end - window.lengthMs + 1)',
  },
  {
    name: 'events are ordered by arrival',
    file: 'kernel/event-columns.ts',
    find: 'while (index > 0 && isAfter(events, index - 1, event))',
    replace: 'while (index > events.ts.length)',
  },
  {
    name: 'raw events are dropped one millisecond early',
    file: 'kernel/key-state.ts',
    find: 'return newest + 1 - program.horizonMs - program.spanMs',
    replace: 'return newest + 2 - program.horizonMs - program.spanMs',
  },
  {
    name: 'the time to live is ignored',
    file: 'plan/finish-view.ts',
    find: 'return ttlMs !== null && ageMs > ttlMs',
    replace: 'return ttlMs !== null && ageMs < 0',
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
