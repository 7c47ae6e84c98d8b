import { readFileSync } from 'node:fs'

/** The version of this package, as its package.json has it: the same two folders up from the sources and from dist. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version
