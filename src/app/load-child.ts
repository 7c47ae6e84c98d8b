import { registerHooks } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { MillraceError, messageOf } from '../base/faults.ts'
import { definitionsToJson } from '../registry/definitions-json.ts'
import type { ChildAnswer } from './load-in-child.ts'
import { loadPlan } from './load-plan.ts'

/**
 * Runs in a process of its own (load-in-child.ts): loads the module named by its argument, and sends what it exports as
 * data, with the files that were read for it.
 */
const file = resolve(process.argv[2]!)
const folder = pathToFileURL(`${dirname(file)}/`).href
const files = new Set([file])

const note = (url: string): void => {
  const path = url.split(/[?#]/)[0]!
  if (path.startsWith(folder) && !path.includes('/node_modules/')) files.add(fileURLToPath(path))
}
registerHooks({
  resolve(specifier, context, next) {
    // Also one that is not there: it may be written next.
    if (/^\.{1,2}\//.test(specifier) && context.parentURL !== undefined)
      note(new URL(specifier, context.parentURL).href)
    return next(specifier, context)
  },
  load(url, context, next) {
    note(url)
    return next(url, context)
  },
})

async function load(): Promise<ChildAnswer> {
  try {
    const { definitions } = await loadPlan(process.argv[2]!)
    return { definitions: definitionsToJson(definitions), files: [...files] }
  } catch (error) {
    const known = error instanceof MillraceError
    const { code, details } = known
      ? error
      : { code: 'DEFINITIONS_UNREADABLE' as const, details: { file, detail: messageOf(error) } }
    return { fault: { code, details }, files: [...files] }
  }
}

const answer = await load()
// The module may have left timers or servers behind: they end with what was asked for.
process.send!(answer, () => process.exit(0))
