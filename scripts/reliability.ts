/**
 * Writes docs/RELIABILITY.md and its pictures from the results of runs. A test compares what it would write with what
 * is there.
 *
 *     node --conditions=millrace-source scripts/reliability.ts
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chartsSvg, cumulativeChart } from '../bench/plot.ts'
import { percentile } from '../test/chaos/campaign.ts'
import type { ChaosRecord, Circumstances } from '../test/chaos/record.ts'
import { faults } from '../test/chaos/kafka/faults.ts'
import { type KafkaChaosRecord, recoveriesByKind, sumOfVerified } from '../test/chaos/kafka/record.ts'
import type { SoakRecord } from '../test/chaos/soak-record.ts'

const root = join(import.meta.dirname, '..')

export type Written = { readonly file: string; readonly content: string }

/** What stands in the documents after the results that are there now. */
export function reliabilityFiles(): readonly Written[] {
  const chaos = read<ChaosRecord>('test/chaos/results/chaos.json')
  const kafka = read<KafkaChaosRecord>('test/chaos/results/kafka-chaos.json')
  const kafkaMutants = read<KafkaMutantsRecord>('test/chaos/results/kafka-mutants.json')
  const soak = read<SoakRecord>('test/chaos/results/soak.json')
  const simulation = read<SimulationRecord>('test/simulation/results/simulation.json')
  const mutants = read<MutantsRecord>('test/simulation/results/mutants.json')
  const cluster = read<SimulationRecord>('test/simulation/results/cluster.json')
  const clusterMutants = read<MutantsRecord>('test/simulation/results/cluster-mutants.json')
  const simulated = [
    ['Runs', simulation],
    ['Planted bugs', mutants],
    ['Runs of a cluster of processes', cluster],
    ['Bugs planted in the work of a cluster', clusterMutants],
  ] as const
  const parts = [
    head,
    chaosPart(chaos),
    kafkaPart(kafka, kafkaMutants),
    simulationPart(simulated),
    soakPart(soak),
    limits,
  ]
  const files = [{ file: 'docs/RELIABILITY.md', content: `${parts.join('\n\n')}\n` }]
  if (chaos === null) return files
  const picture = chartsSvg([
    cumulativeChart('From the start of a process until it has caught up', 'ms', chaos.caughtUpMs),
  ])
  return [...files, { file: 'docs/reliability-recovery.svg', content: picture }]
}

type Simulated = Readonly<Record<string, unknown>>
type SimulationRecord = Simulated
type MutantsRecord = Simulated

function read<T>(file: string): T | null {
  const path = join(root, file)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : null
}

const head = `# Reliability

What was done to millrace, how often, and what came of it. This page is generated from the results of runs
(\`node --conditions=millrace-source scripts/reliability.ts\`); nothing on it was written by hand but the text around the figures.
Every run ends with a comparison: the raw log is read again and judged by a second, naive implementation,
and every value of every key, every counter, every dead letter and late event must be as it says.
**Lost** is what was acknowledged and is not there; **doubled** is what counts twice. A run that finds either fails, and
is no result.`

function chaosPart(record: ChaosRecord | null): string {
  const title = '## Faults on real processes and a real disk'
  if (record === null)
    return `${title}\n\nNo result is recorded yet: \`npm run chaos -- --minutes 10 --out test/chaos/results/chaos.json\`.`
  const total = Object.values(record.injected).reduce((sum, count) => sum + count, 0)
  const points = Object.values(record.crashPoints)
  const rows = Object.entries(record.injected).map(
    ([kind, count]) => `| ${kind} | ${about[kind] ?? ''} | ${count} | 0 | 0 |`,
  )
  const times = (name: string, sorted: readonly number[]): string =>
    `| ${name} | ${sorted.length} | ${percentile(sorted, 0.5) ?? '–'} ms | ${percentile(sorted, 0.95) ?? '–'} ms | ${sorted.at(-1) ?? '–'} ms |`
  return [
    title,
    `${total} faults in ${Math.round(record.seconds / 60)} minutes, on processes that work side by side on ${record.lanes} data folders.`,
    ['| fault | what it is | injected | lost | doubled |', '| --- | --- | ---: | ---: | ---: |', ...rows].join('\n'),
    `${points.filter((count) => count > 0).length} of ${points.length} named crash points were died at. Meanwhile ${record.done.rebuilds} times the whole state was ` +
      `deleted and made again from the log, definitions were changed ${record.done.applied} times and ${record.done.forgotten} entities forgotten.`,
    `Compared ${record.compared.comparisons} times: ${count(record.compared.records)} records, ${count(record.compared.values)} values, ` +
      `${count(record.compared.deadLetters)} dead letters, ${count(record.compared.late)} late events.`,
    `Processes that were not killed ended with: ${
      Object.entries(record.faults)
        .map(([code, times]) => `\`${code}\` ${times}`)
        .join(', ') || 'nothing'
    }.`,
    [
      '| time | times | p50 | p95 | max |',
      '| --- | ---: | ---: | ---: | ---: |',
      times('start of a process to its first answer, after a fault', record.firstAnswerMs),
      times('start of a process until it has caught up, after a fault', record.caughtUpMs),
      times('SIGTERM under load to the end of the process', record.drainMs),
    ].join('\n'),
    '![recovery times](reliability-recovery.svg)',
    ...record.skipped.map((text) => `Left out: ${text}.`),
    circumstancesOf(record),
  ].join('\n\n')
}

const about: Readonly<Record<string, string>> = {
  'crash point': 'dies by its own hand at a named place before, between or after durable steps',
  kill: '`kill -9` at random, while it starts, recovers or works',
  'power cut': '`kill -9` on a disk that loses what the log had not synced, and tears the last writes',
  'disk error': 'one operation of the log on its files fails with EIO, or all of a kind with ENOSPC',
  'system call error': 'strace fails a sync or a write of the log or of LMDB',
  SIGTERM:
    '`millrace dev` is asked to stop under HTTP load; where the definitions stay, the next process may read nothing again',
}

function kafkaPart(record: KafkaChaosRecord | null, mutants: KafkaMutantsRecord | null): string {
  const title = '## Faults on a cluster and its brokers'
  if (record === null) {
    return `${title}\n\nNo result is recorded yet: \`npm run chaos -- --kafka --minutes 5 --out test/chaos/results/kafka-chaos.json\`.`
  }
  const { runs } = record
  const injected = runs.flatMap((run) => run.injected)
  const sum = sumOfVerified(runs.flatMap((run) => run.compared))
  const seconds = (ms: number | null | undefined): string =>
    ms === null || ms === undefined ? '–' : `${(ms / 1_000).toFixed(1)} s`
  const rows = [...recoveriesByKind(injected)].map(([kind, sorted]) => {
    const [p50, p95, max] = [percentile(sorted, 0.5), percentile(sorted, 0.95), sorted.at(-1)].map(seconds)
    return `| ${kind} | ${faults[kind as keyof typeof faults].about} | ${sorted.length} | 0 | 0 | ${p50} | ${p95} | ${max} |`
  })
  const minutes = Math.round(runs.reduce((all, run) => all + run.seconds, 0) / 60)
  return [
    title,
    `${injected.length} faults in ${minutes} minutes, one after the other, on two or three processes of one group, three brokers with three copies of ` +
      'which two are in sync, and proxies between them that know which answer is of an append. Sessions last 6 s.',
    [
      '| fault | what it is | injected | lost | doubled | recovery p50 | p95 | max |',
      '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      ...rows,
    ].join('\n'),
    'The recovery lasts from the fault (where nothing else is said) until each partition is somebody’s again and no event is older than a second that is not ' +
      'in the states at a process that serves them. 0 s: it never was otherwise.',
    `Compared ${runs.flatMap((run) => run.compared).length} times, by the members, a follower, and a process that restored from the state topics alone: ` +
      `${count(sum.records)} records, ${count(sum.values)} values, each of ${count(sum.emitted)} running values that were emitted, ` +
      `${count(sum.deadLetters)} dead letters, ${count(sum.late)} late events, and the order of ${count(sum.processed)} records of \`processed-events\`, ` +
      `of which ${count(sum.sentAgain)} were sent again and left out. ${count(sum.repeated)} rejections and emitted values were there once more, with the same ` +
      'source and contents: the known limit of owners that are stopped before they write ([design/0003](design/0003-exactly-once-on-kafka.md)).',
    ...(mutants === null ? [] : [kafkaMutantsPart(mutants)]),
    runs.map(circumstancesOf).join('\n\n'),
  ].join('\n\n')
}

type KafkaMutantsRecord = Circumstances & {
  readonly found: readonly {
    readonly name: string
    readonly seconds: number | null
    readonly faults: number
    readonly by: string
  }[]
}

function kafkaMutantsPart({ found, ...where }: KafkaMutantsRecord): string {
  const rows = found.map(
    ({ name, seconds, faults: many }) =>
      `| ${name} | ${seconds === null ? 'not found' : `${seconds} s, ${many} faults`} |`,
  )
  return [
    'Bugs that were planted in the processes’ sources, and how long the same checks took on one broker to find each:',
    ['| planted bug | found after |', '| --- | ---: |', ...rows].join('\n'),
    circumstancesOf(where),
  ].join('\n\n')
}

function simulationPart(sections: readonly (readonly [name: string, found: Simulated | null])[]): string {
  const title = '## Deterministic simulation'
  const tables = sections.flatMap(([name, found]) => (found === null ? [] : [`**${name}**`, tableOf(found)]))
  if (tables.length === 0) return `${title}\n\nNo result is recorded yet: \`npm run simulate\`.`
  return [title, ...tables].join('\n\n')
}

/** The plain figures of a record. */
function tableOf(record: Simulated): string {
  const plain = Object.entries(record).filter(([, value]) => typeof value !== 'object' || value === null)
  return ['| | |', '| --- | --- |', ...plain.map(([name, value]) => `| ${name} | ${String(value)} |`)].join('\n')
}

function soakPart(record: SoakRecord | null): string {
  const title = '## Soak'
  if (record === null)
    return `${title}\n\nNo result is recorded yet: \`npm run soak -- --minutes 60 --out test/chaos/results/soak\`.`
  const { load, steady, restarts } = record
  return [
    title,
    `${record.minutes} minutes of mixed load on one \`millrace dev\`: ${count(load.single)} events sent singly and ${count(load.batched)} in batches, ` +
      `${count(load.reads)} reads of ten entities, ${load.trainings} training sets, ${load.explanations} explanations and ${load.lists} lists of dead letters ` +
      `from the running folder; ${restarts.kill} times \`kill -9\` and ${restarts.sigterm} times SIGTERM in the first third. Retention removed ` +
      `${count(record.removed)} of ${count(record.records)} records meanwhile. Lost 0, doubled 0.`,
    [
      `| the last process, its last ${steady.minutes} minutes | |`,
      '| --- | ---: |',
      `| resident memory | ${steady.rssMbPerHour} MB per hour |`,
      `| heap | ${steady.heapMbPerHour} MB per hour |`,
      `| open files | ${steady.filesPerHour} per hour |`,
      `| most records waiting | ${steady.lagMax} |`,
    ].join('\n'),
    "V8's young generation was held at two halves of 16 MB: by itself it doubles now and then, up to 64 MB each, and a process " +
      'of long standing may take that much more.',
    '![memory and open files](../test/chaos/results/soak.svg)',
    circumstancesOf(record),
  ].join('\n\n')
}

function circumstancesOf({ date, commit, machine, node, loadAverage, command }: Circumstances): string {
  const busy = loadAverage === undefined ? '' : `, load average ${loadAverage}`
  return `*${date}, commit ${commit}, ${machine}${busy}, Node ${node}:* \`${command}\``
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

const limits = `## What this does not show

- Times are those of a machine that may have had other work to do at the same time: they are no benchmark.
- One machine, loopback, one file system (the recovery times are of small folders: seconds of work, not gigabytes).
- No power was cut. The log ran on a page cache of our own that loses what was not synced; LMDB did not: for its part a
  kill leaves the system's page cache, and its promise rests on its design and on failed system calls.
- A failed sync under strace leaves the data in the page cache; a real disk may lose it.
- lmdb-js 3.5.6 writes past a buffer of 100 bytes when it reports a page that could not be written. The process may then
  abort instead of ending with \`STORE_WRITE_FAILED\`; these runs count as \`abort in lmdb-js\`. The data were whole each time.
- Kills come at moments of the machine's choosing: a seed repeats the events and the choice of faults, not the moments.
- Bit rot, a disk that lies about syncs, and clocks that jump are not injected here.`

if (import.meta.main) {
  for (const { file, content } of reliabilityFiles()) {
    writeFileSync(join(root, file), content)
    console.log(`wrote ${file}`)
  }
}
