import { fork } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { extname, join } from 'node:path'
import { type FaultCode, MillraceError } from '../base/faults.ts'
import { type DefinitionsJson, definitionsFromJson } from '../registry/definitions-json.ts'
import type { Compiled } from '../registry/difference.ts'
import { compilePlan } from './load-plan.ts'

/** What the child sends. */
export type ChildAnswer = { readonly files: readonly string[] } & (
  | { readonly definitions: DefinitionsJson }
  | { readonly fault: { readonly code: FaultCode; readonly details: Readonly<Record<string, string | number>> } }
)

export type Loading = {
  readonly result: Compiled | MillraceError
  /** The module and what it imports from its folder and below: when one of them changes, so may the definitions. */
  readonly files: readonly string[]
}

const loadMsMax = 60_000

/**
 * Loads a module's definitions in a process of its own, as they are on disk now. A process keeps every module that it
 * ever imported, so a second import here would give the first one again, at least of what the module imports itself;
 * and a module that loops or exits must not take a running millrace along.
 */
export async function loadInChild(file: string, signal?: AbortSignal): Promise<Loading> {
  const script = join(import.meta.dirname, `load-child${extname(import.meta.filename)}`)
  const unreadable = (detail: string): Loading => ({
    result: new MillraceError('DEFINITIONS_UNREADABLE', { file, detail }),
    files: [file],
  })
  const child = fork(script, [file], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: execArgv(),
    env: { ...process.env, NODE_COMPILE_CACHE: getCompileCacheDir() },
  })
  const stop = (): boolean => child.kill('SIGKILL')
  const timer = setTimeout(stop, loadMsMax)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    return await new Promise<Loading>((resolve) => {
      child.on('message', (message) => resolve(loadingOf(message as ChildAnswer)))
      child.on('error', (error) => resolve(unreadable(error.message)))
      child.on('exit', (code, killedBy) => {
        const why =
          killedBy === null ? `it ended the process with ${code}` : `it was not loaded within ${loadMsMax / 1_000} s`
        resolve(unreadable(why))
      })
    })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
    stop()
  }
}

/** How this process runs TypeScript and resolves packages, without what would make two processes meet. */
function execArgv(): string[] {
  return process.execArgv.filter((argument) => !/^--(inspect|watch|test|cpu-prof|heap-prof)/.test(argument))
}

function loadingOf(answer: ChildAnswer): Loading {
  const { files } = answer
  if ('fault' in answer) {
    return { result: new MillraceError(answer.fault.code, answer.fault.details as never), files }
  }
  try {
    const definitions = definitionsFromJson(answer.definitions)
    return { result: { definitions, plan: compilePlan(definitions) }, files }
  } catch (error) {
    if (error instanceof MillraceError) return { result: error, files }
    throw error
  }
}
