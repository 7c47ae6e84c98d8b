import pc from 'picocolors'

export type Progress = { readonly phase: string; readonly done: number; readonly total: number | null }

/** Where progress is shown, and a clock: elapsed milliseconds that never go back. */
export type ProgressPlace = {
  readonly isTTY: boolean
  readonly columns: number
  write(text: string): void
  elapsed(): number
}

const drawnEveryMs = 100
const saidEveryMs = 10_000
const barWidth = 20

/**
 * Progress of long work: on a terminal a line that is drawn over and over; anywhere else a line now and then, so that
 * whoever reads a log knows that something happens. What is done soon is not spoken of there at all.
 */
export function makeProgress(place: ProgressPlace): (progress: Progress) => void {
  let phase: string | null = null
  let startedAt = place.elapsed()
  let shownAt = place.elapsed()
  return (progress) => {
    const now = place.elapsed()
    const isNew = progress.phase !== phase
    if (isNew) {
      startedAt = now
      phase = progress.phase
    }
    const isDone = progress.done === progress.total
    if (now - shownAt < (place.isTTY ? drawnEveryMs : saidEveryMs) && !(place.isTTY && (isNew || isDone))) return
    shownAt = now
    const text = progressText(progress, now - startedAt, place.isTTY)
    place.write(place.isTTY ? `\r\u001b[K${pc.dim(text.slice(0, place.columns - 1))}` : `${text}\n`)
  }
}

/** `computing spending  ████░░░░  50 %  500,000 of 1,000,000  250,000/s  2 s left` */
export function progressText({ phase, done, total }: Progress, elapsedMs: number, withBar: boolean): string {
  const perMs = elapsedMs > 200 ? done / elapsedMs : 0
  const parts = [phase]
  if (total !== null && total > 0) {
    const share = Math.min(1, done / total)
    const filled = Math.round(share * barWidth)
    if (withBar) parts.push('█'.repeat(filled) + '░'.repeat(barWidth - filled))
    parts.push(`${Math.floor(share * 100)} %`, `${done.toLocaleString('en')} of ${total.toLocaleString('en')}`)
  } else parts.push(done.toLocaleString('en'))
  if (perMs > 0) parts.push(`${Math.round(perMs * 1_000).toLocaleString('en')}/s`)
  if (perMs > 0 && total !== null && total > done) parts.push(`${timeText((total - done) / perMs)} left`)
  return parts.join('  ')
}

function timeText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`
}
