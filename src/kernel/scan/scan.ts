import { generateScan } from './generate-scan.ts'
import {
  makeScanPlan,
  type Scan,
  type ScanChannel,
  type ScanPlan,
  tallyCount,
  tallyGreatest,
  tallyLeast,
  tallyMagnitude,
  tallySize,
  tallySquares,
  tallySum,
} from './scan-plan.ts'
import type { ViewProgram } from '../program.ts'

export type Scanner = { readonly plan: ScanPlan; readonly scan: Scan; readonly isGenerated: boolean }

const scanners = new WeakMap<ViewProgram, Scanner>()

export function scannerOf(program: ViewProgram): Scanner {
  let scanner = scanners.get(program)
  if (scanner === undefined) {
    const plan = makeScanPlan(program)
    const generated = generateScan(plan)
    scanner = { plan, scan: generated ?? interpretScan(plan), isGenerated: generated !== null }
    scanners.set(program, scanner)
  }
  return scanner
}

/** The check on the generated function, and what runs where no function may be generated. */
export function interpretScan({ groups, width }: ScanPlan): Scan {
  const found = new Float64Array(tallySize)
  return (rows, at, bounds, out) => {
    for (const { windows, channels } of groups) {
      for (const channel of channels) {
        found.fill(0)
        found[tallyLeast] = Number.POSITIVE_INFINITY
        found[tallyGreatest] = Number.NEGATIVE_INFINITY
        let row = at + bounds[2 * windows[0]! + 1]! * width
        for (let segment = 0; segment <= channel.reach; segment++) {
          const start = at + bounds[2 * windows[segment]!]! * width
          for (; row > start; row -= width) addRow(found, channel, { rows, row: row - width })
          for (const taker of channel.takers) {
            if (taker.segment === segment) out.set(found, taker.aggregate * tallySize)
          }
        }
      }
    }
  }
}

function addRow(
  found: Float64Array,
  { input, filter, needs }: ScanChannel,
  { rows, row }: { rows: Float64Array; row: number },
): void {
  if (filter !== null && rows[row + filter] !== 1) return
  const value = input === null ? 0 : rows[row + input]!
  if (Number.isNaN(value)) return
  found[tallyCount]! += 1
  if (needs.has('sum')) {
    found[tallySum]! += value
    found[tallyMagnitude]! += Math.abs(value)
  }
  if (needs.has('squares')) found[tallySquares]! += value * value
  if (needs.has('least') && value < found[tallyLeast]!) found[tallyLeast] = value
  if (needs.has('greatest') && value > found[tallyGreatest]!) found[tallyGreatest] = value
}
