import { messageOf, MillraceError } from '../../base/faults.ts'

/** What was found, and what to do about it. */
export type LogFinding = {
  readonly status: 'warning' | 'fault'
  /** A file or folder. */
  readonly where: string
  readonly what: string
  readonly hint: string
}

export const restoreHint =
  'Restore the folder from a backup (`millrace restore`). Records that are damaged cannot be made whole again.'

export const removableHint = 'It may be deleted.'

export function stray(folder: string, names: readonly string[], expected: (name: string) => boolean): LogFinding[] {
  return [...names]
    .sort()
    .filter((name) => !expected(name))
    .map((name) => ({
      status: 'warning',
      where: `${folder}/${name}`,
      what: `"${name}" is no file of the log`,
      hint: `The log takes no notice of it: a draft that a crash left behind, or a file of somebody else's. ${removableHint}`,
    }))
}

/** The result, or undefined and a finding: any fault of reading, in its own words. */
export async function tryTo<Result>(
  findings: LogFinding[],
  where: string,
  action: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await action()
  } catch (error) {
    const hint = error instanceof MillraceError ? error.hint : restoreHint
    findings.push({ status: 'fault', where, what: messageOf(error), hint })
    return undefined
  }
}
