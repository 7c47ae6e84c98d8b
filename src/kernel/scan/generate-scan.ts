import { generate } from '../../base/generate.ts'
import {
  type Scan,
  type ScanChannel,
  type ScanGroup,
  type ScanPlan,
  tallyCount,
  tallyGreatest,
  tallyLeast,
  tallyMagnitude,
  tallySize,
  tallySquares,
  tallySum,
} from './scan-plan.ts'

/** `interpretScan` written out for one plan: a loop per window, with what is found in variables. */
export function generateScan(plan: ScanPlan): Scan | null {
  const body = plan.groups.map((group) => groupSource(group, plan.width)).join('\n')
  return generate<Scan>(['rows', 'at', 'bounds', 'out'], body)
}

function groupSource({ windows, channels }: ScanGroup, width: number): string {
  const lines = channels.map(
    (_, c) => `let n${c} = 0, s${c} = 0, m${c} = 0, q${c} = 0, l${c} = Infinity, g${c} = -Infinity`,
  )
  lines.push(`let row = at + bounds[${2 * windows[0]! + 1}] * ${width}`)
  windows.forEach((window, segment) => {
    const reached = [...channels.keys()].filter((c) => channels[c]!.reach >= segment)
    lines.push(
      `for (const start = at + bounds[${2 * window}] * ${width}; row > start;) {`,
      `row -= ${width}`,
      ...reached.map((c) => channelSource(channels[c]!, c)),
      '}',
      ...reached.flatMap((c) => takersSource(channels[c]!, c, segment)),
    )
  })
  return `{\n${lines.join('\n')}\n}`
}

function channelSource({ input, filter, needs }: ScanChannel, c: number): string {
  const parts = [`n${c} += 1`]
  if (needs.has('sum')) parts.push(`s${c} += v`, `m${c} += v < 0 ? -v : v`)
  if (needs.has('squares')) parts.push(`q${c} += v * v`)
  if (needs.has('least')) parts.push(`if (v < l${c}) l${c} = v`)
  if (needs.has('greatest')) parts.push(`if (v > g${c}) g${c} = v`)
  const found = parts.join('; ')
  // Null is not equal to itself.
  const counted = input === null ? found : `const v = rows[row + ${input}]; if (v === v) { ${found} }`
  return filter === null ? `{ ${counted} }` : `if (rows[row + ${filter}] === 1) { ${counted} }`
}

function takersSource({ takers }: ScanChannel, c: number, segment: number): string[] {
  const parts = [
    [tallyCount, 'n'],
    [tallySum, 's'],
    [tallyMagnitude, 'm'],
    [tallySquares, 'q'],
    [tallyLeast, 'l'],
    [tallyGreatest, 'g'],
  ] as const
  return takers
    .filter((taker) => taker.segment === segment)
    .map(({ aggregate }) =>
      parts.map(([part, name]) => `out[${aggregate * tallySize + part}] = ${name}${c}`).join('; '),
    )
}
