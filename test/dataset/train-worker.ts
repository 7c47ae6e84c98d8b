// Runs `train` as its JSON argument says, in a process that a test may kill. A line per phase and note.
import { compilePlan } from '../../src/app/load-plan.ts'
import { train } from '../../src/index.ts'
import { purchases } from './purchases.ts'

const options = JSON.parse(process.argv[2]!) as Partial<Parameters<typeof train>[0]> & { readonly slowMs?: number }
let phase = ''
const { output } = await train({
  plan: compilePlan([purchases]),
  target: purchases.name,
  at: 'asked_at',
  spine: '',
  output: '',
  history: { files: {} },
  ...options,
  onProgress: (progress) => {
    if (progress.phase !== phase) process.stdout.write(`${(phase = progress.phase)}\n`)
    // Slow enough to be killed in the middle.
    if (phase.startsWith('computing')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, options.slowMs ?? 0)
  },
  onNote: (note) => process.stdout.write(`${note}\n`),
})
process.stdout.write(`sha256 ${output.sha256}\n`)
