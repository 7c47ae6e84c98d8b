import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadOnnxRuntime } from '../src/model/onnx/runtime.ts'
import { type BenchContext, type BenchRow, median } from './harness.ts'
import { type LoadAnswer, runLoad } from './load.ts'
import type { ServerProcess } from './peers/node-http.ts'
import { boostedFile, keysOf, lastMs, logisticFile } from './workloads/cards.ts'

const perSecond = 300
const everyMs = 500
/** Entities of one request: an answer of two versions would show in it. */
const width = 4
const groups = Array.from({ length: 64 }, (_, group) =>
  Array.from({ length: width }, (_unused, index) => keysOf(group * width + index)),
)

/**
 * A model is promoted back and forth while it is asked 300 times a second, every answer compared with what the version
 * that it names gives, by the runtime alone, for the vectors that the server reads as of the same instant.
 */
export async function measureSwitches(context: BenchContext, server: ServerProcess): Promise<BenchRow[]> {
  const expected = await expectedScores(server.port)
  const seconds = context.quick ? 3 : 12
  const answers: (LoadAnswer & { readonly at: number })[] = []
  const switches: number[] = []
  let isDone = false
  const switching = (async () => {
    for (let version = 2; !isDone; version = 3 - version) {
      await sleep(everyMs)
      await post(server.port, '/v1/models/switched', { promote: version })
      switches.push(performance.now())
    }
  })()
  const { requests, refused } = await runLoad({
    port: server.port,
    path: '/v1/predict',
    connections: 16,
    perSecond,
    seconds,
    body: (n) => JSON.stringify({ model: 'switched', entities: groups[n % groups.length], asOf: lastMs }),
    onAnswer: (answer) => answers.push({ ...answer, at: performance.now() }),
  })
  isDone = true
  await switching
  const wrong = answers.filter(({ n, body, status }) => status === 200 && !isOfItsVersion(body, expected, n))
  const versions = new Set(answers.flatMap(({ body, status }) => (status === 200 ? [versionIn(body)] : [])))
  const isNear = (at: number) => switches.some((one) => Math.abs(at - one) <= everyMs / 10)
  const near = answers.filter(({ at }) => isNear(at)).map(({ latencyMs }) => latencyMs)
  const far = answers.filter(({ at }) => !isNear(at)).map(({ latencyMs }) => latencyMs)
  const note = `${requests} requests of ${width} entities, ${perSecond} a second, ${switches.length} switches, ${versions.size} versions answered`
  context.log(`${switches.length} switches, ${refused} failed, ${wrong.length} wrong`)
  const around = `answered within ${everyMs / 10} ms of a switch`
  return [
    { what: 'switches under load, failed', value: refused, unit: 'requests', note },
    {
      what: "switches under load, scores that are not their version's",
      value: wrong.length,
      unit: 'answers',
      note: 'compared bit for bit',
    },
    ...percentiles(`switches under load, ${around}`, near),
    ...percentiles('switches under load, all others', far),
  ]
}

function percentiles(what: string, samples: readonly number[]): BenchRow[] {
  const sorted = samples.toSorted((a, b) => a - b)
  const note = `${sorted.length} requests`
  return [
    { what: `${what}, p50`, value: median(sorted), unit: 'ms', note },
    { what: `${what}, p99`, value: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN, unit: 'ms', note },
  ]
}

type Answer = {
  readonly model: { readonly version: number }
  readonly predictions: readonly { readonly outcome: string; readonly output?: { readonly score: number } }[]
}

function isOfItsVersion(body: string, expected: ExpectedScores, n: number): boolean {
  const { model, predictions } = JSON.parse(body) as Answer
  const scores = expected[model.version - 1]![n % groups.length]!
  return predictions.length === width && predictions.every(({ output }, row) => Object.is(output?.score, scores[row]))
}

function versionIn(body: string): number {
  return (JSON.parse(body) as Answer).model.version
}

/** By version, group and row. */
type ExpectedScores = readonly (readonly (readonly number[])[])[]

async function expectedScores(port: number): Promise<ExpectedScores> {
  const runtime = await loadOnnxRuntime()
  const scores: number[][][] = []
  const vectors = await Promise.all(groups.map((group) => vectorsOf(port, group)))
  for (const file of [boostedFile, logisticFile]) {
    const session = await runtime.InferenceSession.create(await readFile(file), { intraOpNumThreads: 1 })
    const [input] = session.inputMetadata
    const ofVersion: number[][] = []
    for (const rows of vectors) {
      const { type, name } = input as { readonly type: 'float32' | 'float64'; readonly name: string }
      const data = type === 'float64' ? Float64Array.from(rows.flat()) : Float32Array.from(rows.flat())
      const feeds = { [name]: new runtime.Tensor(type, data, [width, data.length / width]) }
      const given = await session.run(feeds, ['probabilities'])
      const probabilities = given['probabilities']!.data as ArrayLike<number>
      ofVersion.push(Array.from({ length: width }, (_, row) => probabilities[row * 2 + 1]!))
    }
    await session.release()
    scores.push(ofVersion)
  }
  return scores
}

async function vectorsOf(port: number, entities: readonly object[]): Promise<number[][]> {
  const text = await post(port, '/v1/features', { service: 'card_scoring', entities, asOf: lastMs, full: false })
  const { rows } = JSON.parse(text) as { rows: { values: (number | null)[] }[] }
  return rows.map(({ values }) => values.map((value) => value ?? 0))
}

async function post(port: number, path: string, body: object): Promise<string> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return text
}
