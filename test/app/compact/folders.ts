import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

const bases: string[] = []
process.on('exit', () => bases.forEach((base) => rmSync(base, { recursive: true, force: true })))

export function freshFolder(): string {
  const base = mkdtempSync(join(tmpdir(), 'millrace-compact-'))
  bases.push(base)
  return join(base, 'data')
}

export function copyOf(folder: string): string {
  const copy = freshFolder()
  cpSync(folder, copy, { recursive: true })
  return copy
}

function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
  return names.filter((path) => statSync(path).isFile() && !path.endsWith('lock.mdb')).sort()
}

export function contentsOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    filesIn(folder).map((path) => [relative(folder, path), readFileSync(path).toString('latin1')]),
  )
}

export function holds(folder: string, text: string): boolean {
  return filesIn(folder).some((path) => readFileSync(path).includes(text))
}
