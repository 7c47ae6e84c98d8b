/** One line of a diagnosis: what was looked at, how it is, and what to do where it is not well. */
export type Finding = {
  /** What was looked at: `folder`, `log payments.v1/0`, `store`, … */
  readonly check: string
  /** A warning needs no action, or none at once; a fault does. */
  readonly status: 'ok' | 'warning' | 'fault'
  readonly what: string
  /** What to do; null where all is well. */
  readonly hint: string | null
}

/** Collects the findings of one check after another. */
export class Findings {
  readonly all: Finding[] = []
  readonly #onFinding: (finding: Finding) => void

  constructor(onFinding: (finding: Finding) => void) {
    this.#onFinding = onFinding
  }

  get healthy(): boolean {
    return this.all.every(({ status }) => status !== 'fault')
  }

  ok(check: string, what: string): void {
    this.add({ check, status: 'ok', what, hint: null })
  }

  warn(check: string, what: string, hint: string): void {
    this.add({ check, status: 'warning', what, hint })
  }

  fault(check: string, what: string, hint: string): void {
    this.add({ check, status: 'fault', what, hint })
  }

  add(finding: Finding): void {
    this.all.push(finding)
    this.#onFinding(finding)
  }
}

/** How far a long check has come. `total` is null where nobody knows. */
export type CheckProgress = { readonly phase: string; readonly done: number; readonly total: number | null }
