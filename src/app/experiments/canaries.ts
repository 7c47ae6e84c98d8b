import type { Clock } from '../../base/clock.ts'
import type { Experiment } from '../../definition/experiment.ts'
import type { Log } from '../../log/log.ts'
import { formatInstant } from '../../schema/instant.ts'

/** Where it is noted which arms were stopped: by the process that saw it, for all that start later. */
export const experimentStopsTopic = 'experiment-stops'

export type StoppedArm = {
  readonly experiment_id: string
  readonly variant: string
  readonly reason: string
  readonly timestamp: string
}

/** The newest answers of an arm that are looked at, and how many there have to be. */
const [newest, answersMin] = [200, 50]
const slowShareMax = 0.05

/** Stops arms that fail or are slow. A stop stays: whoever wants the arm back starts another experiment. */
export class Canaries {
  readonly #options: { readonly log: Log; readonly clock: Clock }
  readonly #stopped = new Map<string, StoppedArm>()
  readonly #answers = new Map<string, { failed: boolean; slow: boolean }[]>()
  #writing: Promise<void> = Promise.resolve()
  #fault: Error | null = null

  private constructor(options: { readonly log: Log; readonly clock: Clock }) {
    this.#options = options
  }

  static async open({ log, clock }: { readonly log: Log; readonly clock: Clock }): Promise<Canaries> {
    const canaries = new Canaries({ log, clock })
    await log.createTopic(experimentStopsTopic, { partitions: 1 })
    for (const stop of await Canaries.read(log)) canaries.#stopped.set(nameOf(stop.experiment_id, stop.variant), stop)
    return canaries
  }

  /** Every stop so far. */
  static async read(log: Log): Promise<StoppedArm[]> {
    if (log.topics().every(({ topic }) => topic !== experimentStopsTopic)) return []
    await log.refresh(experimentStopsTopic)
    const stops: StoppedArm[] = []
    for (let offset = log.start(experimentStopsTopic, 0); offset < log.end(experimentStopsTopic, 0); ) {
      const { records, next } = await log.read(experimentStopsTopic, 0, offset, 1024 * 1024)
      for (const { value } of records) stops.push(JSON.parse(Buffer.from(value!).toString()) as StoppedArm)
      offset = next
    }
    return stops
  }

  get stopped(): readonly StoppedArm[] {
    return [...this.#stopped.values()]
  }

  get fault(): Error | null {
    return this.#fault
  }

  isStopped(experiment: string, arm: string): boolean {
    return this.#stopped.has(nameOf(experiment, arm))
  }

  told(
    { name, arms, canary }: Experiment,
    arm: string,
    { failed, latencyMs }: { readonly failed: boolean; readonly latencyMs: number },
  ): void {
    if (canary === null || arm === arms[0]!.name || this.isStopped(name, arm)) return
    const of = nameOf(name, arm)
    let answers = this.#answers.get(of)
    if (answers === undefined) this.#answers.set(of, (answers = []))
    answers.push({ failed, slow: latencyMs > (canary.latencyMsMax ?? Number.POSITIVE_INFINITY) })
    if (answers.length > newest) answers.shift()
    if (answers.length < answersMin) return
    const failures = answers.filter((one) => one.failed).length / answers.length
    const slow = answers.filter((one) => one.slow).length / answers.length
    if (failures > (canary.failedMax ?? 1))
      this.#stop(name, arm, `${(failures * 100).toFixed(1)} % of its answers failed`)
    else if (slow > slowShareMax) {
      this.#stop(name, arm, `${(slow * 100).toFixed(1)} % of its answers took more than ${canary.latencyMsMax} ms`)
    }
  }

  async close(): Promise<void> {
    await this.#writing
  }

  #stop(experiment: string, arm: string, reason: string): void {
    const { log, clock } = this.#options
    const nowMs = clock.now()
    const stop: StoppedArm = { experiment_id: experiment, variant: arm, reason, timestamp: formatInstant(nowMs) }
    this.#stopped.set(nameOf(experiment, arm), stop)
    const record = { key: Buffer.from(experiment), value: Buffer.from(JSON.stringify(stop)), timestampMs: nowMs }
    this.#writing = this.#writing.then(async () => {
      await log.append(experimentStopsTopic, 0, [record])
    })
    // It is stopped here in any case.
    this.#writing = this.#writing.catch((error: unknown) => {
      this.#fault = error instanceof Error ? error : new Error(String(error))
    })
  }
}

/** Names hold no blank. */
function nameOf(experiment: string, arm: string): string {
  return `${experiment} ${arm}`
}
