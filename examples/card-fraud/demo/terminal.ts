import { plainText } from './plain.ts'
import { screenLines } from './screen.ts'
import type { Snapshot } from './snapshot.ts'
import { makePalette } from './text.ts'

/** Shows snapshots until it is closed: a screen that is drawn anew on a terminal, lines elsewhere. */
export type Display = { close(): void }

const screenMs = 200
const linesMs = 1_000

const escape = String.fromCharCode(27)
/** The alternate screen, so that what was in the terminal before is there again afterwards; no cursor. */
const enter = `${escape}[?1049h${escape}[?25l`
const leave = `${escape}[?25h${escape}[?1049l`
const home = `${escape}[H`
const clearLine = `${escape}[K`
const clearBelow = `${escape}[J`

export function openDisplay(snapshot: () => Snapshot, output: NodeJS.WriteStream): Display {
  if (output.isTTY !== true) {
    const timer = setInterval(() => output.write(`${plainText(snapshot())}\n\n`), linesMs)
    return { close: () => clearInterval(timer) }
  }
  const palette = makePalette((process.env['NO_COLOR'] ?? '') === '' && output.hasColors())
  const draw = (): void => {
    const lines = screenLines(snapshot(), { columns: output.columns, rows: output.rows }, palette)
    output.write(`${home}${lines.map((line) => `${line}${clearLine}`).join('\n')}${clearBelow}`)
  }
  const restore = (): void => {
    output.write(leave)
  }
  output.write(enter)
  // Also when something is thrown: a terminal must not stay without its cursor.
  process.once('exit', restore)
  const timer = setInterval(draw, screenMs)
  return {
    close: () => {
      clearInterval(timer)
      process.removeListener('exit', restore)
      restore()
    },
  }
}
