import { writeFileSync } from 'node:fs'
import { faults } from '../src/base/faults.ts'
import { refusalCodes } from '../src/schema/decode.ts'

/** Writes docs/ERRORS.md from the catalogues in the code; `test/base/faults.test.ts` keeps the two in step. */
export const errorsPage = new URL('../docs/ERRORS.md', import.meta.url)

export function renderErrors(): string {
  const refusals = Object.entries(refusalCodes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`)
  const entries = Object.entries(faults).map(([code, { kind, retry, message, hint }]) =>
    [
      `### ${code}`,
      '',
      `${kinds[kind]} ${retry === 'never' ? 'A retry does not help.' : 'A retry may help.'}`,
      '',
      ...message.split('\n').map((line) => `> ${escaped(line)}`),
      '',
      escaped(hint),
    ].join('\n'),
  )
  return `${[
    '# Errors',
    'Written by `node scripts/errors.ts`; change the catalogues in the code, not this page.',
    'Words in braces are filled in when the fault occurs. Codes are never renamed and never reused.',
    '## Faults',
    'Every `MillraceError` has one of these as its `code`, with `kind`, `retry`, `hint` and `details` beside it.',
    ...entries,
    '## Refusals',
    'Why a raw event was refused: on its dead letter, and in the answer to whoever sent it. One per path, all at once.',
    ['| code | what is wrong |', '| --- | --- |', ...refusals].join('\n'),
  ].join('\n\n')}\n`
}

const kinds = {
  user: 'For the author of the definition or the request to mend.',
  external: 'For whoever runs the machine, the disk or the broker to mend.',
  internal: 'For the makers of this software to mend.',
} as const

/** Text of the catalogue has no Markdown in it, except code between backticks. */
function escaped(text: string): string {
  return text.replaceAll(/[<*_]/g, (sign) => `\\${sign}`)
}

if (import.meta.main) writeFileSync(errorsPage, renderErrors())
