import { MillraceError } from '../base/faults.ts'
import { nearest } from '../base/nearest.ts'

/** One thing wrong with a definition: where, what came, what is allowed. */
export type DefinitionFault = { readonly path: string; readonly fault: string; readonly hint: string }

/** Collects the faults of all definitions, so that an author sees every one of them at once. */
export class FaultList {
  readonly #faults: DefinitionFault[] = []

  get list(): readonly DefinitionFault[] {
    return this.#faults
  }

  add(path: string, fault: string, hint: string): void {
    this.#faults.push({ path, fault, hint })
  }

  /** A name that should have been one of `declared`. */
  unknown(path: string, what: string, { name, declared }: { name: string; declared: readonly string[] }): void {
    const closest = nearest(name, declared)
    this.add(
      path,
      `${what} "${name}" is not declared`,
      closest === null ? 'none is declared' : `did you mean "${closest}"? Declared: ${shortList(declared)}`,
    )
  }

  throwIfAny(): void {
    if (this.#faults.length === 0) return
    const list = this.#faults.map(({ path, fault, hint }) => `  ${path}: ${fault} (${hint})`).join('\n')
    throw new MillraceError('DEFINITION', { count: this.#faults.length, list })
  }
}

function shortList(names: readonly string[]): string {
  return names.length <= 12 ? names.join(', ') : `${names.slice(0, 12).join(', ')}, … (${names.length} in all)`
}
