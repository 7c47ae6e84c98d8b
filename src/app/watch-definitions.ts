import { type StatsListener, unwatchFile, watchFile } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import { type Loading, loadInChild } from './load-in-child.ts'

/** How often files are looked at. Asking for their state works where notices of changes do not: containers, networks. */
const lookMs = 250
/** Editors save several files, and each in several steps. */
const settleMs = 50

/**
 * Loads a module again whenever it, or what it imports from its folder and below, is saved. One load after the other;
 * what is saved meanwhile is loaded next, and only the last result is told.
 */
export function watchDefinitions(
  file: string,
  first: Loading,
  onLoaded: (result: Loading['result']) => Promise<void>,
): { close(): void } {
  const stop = new AbortController()
  let watched: readonly string[] = []
  let [saved, loading] = [false, false]

  const onChange: StatsListener = (now, before) => {
    if (now.mtimeMs === before.mtimeMs && now.size === before.size && now.ino === before.ino) return
    saved = true
    if (!loading) void reload()
  }
  const watch = (files: readonly string[]): void => {
    for (const one of watched) if (!files.includes(one)) unwatchFile(one, onChange)
    for (const one of files)
      if (!watched.includes(one)) watchFile(one, { interval: lookMs, persistent: false }, onChange)
    watched = files
  }
  const reload = async (): Promise<void> => {
    loading = true
    while (saved && !stop.signal.aborted) {
      await systemClock.sleep(settleMs, stop.signal)
      saved = false
      const { result, files } = await loadInChild(file, stop.signal)
      if (stop.signal.aborted) break
      watch(files)
      if (!saved) await onLoaded(result)
    }
    loading = false
  }

  watch(first.files)
  return {
    close() {
      stop.abort()
      watch([])
    },
  }
}
