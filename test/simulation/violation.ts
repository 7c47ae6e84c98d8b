/** Something that must never be was seen. */
export class Violation extends Error {
  override readonly name = 'Violation'
  readonly property: string

  constructor(property: string, detail: string) {
    super(`${property}: ${detail}`)
    this.property = property
  }
}

export function violation(property: string, detail: string): never {
  throw new Violation(property, detail)
}
