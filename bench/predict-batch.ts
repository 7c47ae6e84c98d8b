import { readFile } from 'node:fs/promises'
import { compile, type MillOptions } from 'millrace'
import { systemClock } from '../src/base/clock.ts'
import { openDeclaredModel } from '../src/app/open-model.ts'
import type { ReadVector } from '../src/model/predictor.ts'
import { loadOnnxRuntime } from '../src/model/onnx/runtime.ts'
import { compileModels } from '../src/plan/model-plan.ts'
import { type BenchContext, type BenchRow, figure, median } from './harness.ts'
import type { Line } from './plot.ts'
import { boosted, boostedFile, scoring } from './workloads/cards.ts'

const sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024]

/** Null where the runtime of ONNX is installed. */
export async function runtimeLacks(): Promise<string | null> {
  return await loadOnnxRuntime().then(
    () => null,
    () => 'onnxruntime-node is not installed',
  )
}

/** Microseconds of CPU a row, by how many rows are in a run: from vectors to checked predictions, and the runtime alone. */
export async function measureBatches(context: BenchContext): Promise<BenchRow[]> {
  const models: NonNullable<MillOptions['models']> = [boosted]
  const plan = compileModels(models, compile([scoring]))[0]!
  const loaded = await openDeclaredModel(boosted, plan, systemClock)
  const runtime = await loadOnnxRuntime()
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential' } as const
  const session = await runtime.InferenceSession.create(await readFile(boostedFile), options)
  const [input] = session.inputMetadata
  const [ours, bare]: [Line['points'][number][], Line['points'][number][]] = [[], []]
  const rows: BenchRow[] = []
  for (const size of sizes) {
    const vectors = Array.from({ length: size }, (_, row) => vectorOf(row, plan.inputs.length))
    const data = Float32Array.from(vectors.flatMap(({ values }) => values.map((value) => Number(value))))
    const dims = [size, plan.inputs.length]
    const sides = [
      { what: `predicted, ${size} rows a run`, work: () => loaded.run(plan, vectors, 60_000), points: ours },
      {
        what: `onnxruntime alone, ${size} rows a run`,
        work: () => session.run({ [input!.name]: new runtime.Tensor('float32', data, dims) }, ['probabilities']),
        points: bare,
      },
    ]
    for (const { what, work, points } of sides) {
      const times = Math.max(5, Math.round((context.quick ? 500 : 4_000) / size))
      const samples: number[] = []
      for (let run = -1; run < context.runs; run++) {
        const took = await cpuMicros(work, times)
        if (run >= 0) samples.push(took / size)
      }
      rows.push({ what, value: median(samples), unit: 'us CPU/row', samples })
      points.push([size, median(samples)])
    }
  }
  await loaded.close()
  await session.release()
  context.log(`1 row a run: ${figure(ours[0]![1])} us, 1,024: ${figure(ours.at(-1)![1])} us a row`)
  context.chart({
    kind: 'lines',
    title: 'Boosted trees: CPU a row, by rows a run',
    x: { title: 'rows a run', scale: 'log', ticks: sizes.map((size) => [size, String(size)] as const) },
    y: { title: 'us CPU/row', scale: 'log' },
    lines: [
      { name: 'vectors to predictions', role: 'ours', points: ours },
      { name: 'onnxruntime alone', role: 'peer', points: bare },
    ],
  })
  return rows
}

function vectorOf(row: number, width: number): ReadVector {
  const values = Array.from({ length: width }, (_, column) => ((row * 31 + column * 17) % 100) / 4)
  return { values, status: values.map(() => 'PRESENT') }
}

async function cpuMicros(work: () => Promise<unknown>, times: number): Promise<number> {
  const before = process.cpuUsage()
  for (let n = 0; n < times; n++) await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}
