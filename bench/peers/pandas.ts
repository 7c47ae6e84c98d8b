import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const runFile = promisify(execFile)

/** `PANDAS_PYTHON`, or python3: a Python that has pandas and pyarrow. */
const python = process.env['PANDAS_PYTHON'] ?? 'python3'

/** The version of pandas, null where there is none. */
export async function pandasVersion(): Promise<string | null> {
  try {
    const { stdout } = await runFile(python, ['-c', 'import pandas, pyarrow; print(pandas.__version__)'])
    return stdout.trim()
  } catch {
    return null
  }
}

/** Runs a script of this folder, which prints the seconds that it took. Milliseconds. */
export async function runPandas(script: string, words: readonly string[]): Promise<number> {
  const one = { OMP_NUM_THREADS: '1', ARROW_NUM_THREADS: '1', ARROW_IO_THREADS: '1' }
  const { stdout } = await runFile(python, [fileURLToPath(new URL(script, import.meta.url)), ...words], {
    env: { ...process.env, ...one },
  })
  return Number(stdout.trim().split('\n').at(-1)) * 1_000
}
