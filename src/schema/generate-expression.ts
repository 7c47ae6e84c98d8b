import { assert } from '../base/assert.ts'
import { compareStrings } from '../base/compare.ts'
import { generate } from '../base/generate.ts'
import {
  bucketOf,
  compileExpression,
  type Evaluator,
  type LeafResolver,
  makeTimePart,
  oneHotOf,
  roundHalfAwayFromZero,
  type Value,
} from './evaluate.ts'
import type { Expression, Literal, Operator } from './expression.ts'
import type { ValueType } from './value-type.ts'

/** What an expression is evaluated over: the fields of a row, or the aggregates of a view. */
export type Values = readonly Value[]

/** Where a leaf has its value. */
export type Slot = {
  readonly index: number
  readonly kind: ValueType['kind']
  /** A decimal stands there as a scaled integer; 1 for everything else. */
  readonly divisor: number
}

export type SlotOf = (leaf: Leaf) => Slot

type Leaf = Extract<Expression, { op: 'field' | 'aggregate' }>
type Node = Extract<Expression, { args: readonly Expression[] }>

/** An expression ready to run, as fast as it goes here. The plan has checked its types. */
export function makeEvaluator(tree: Expression, slotOf: SlotOf): Evaluator<Values> {
  return generateExpression(tree, slotOf) ?? compileExpression(tree, leafAt(slotOf))
}

/** The values of several expressions over the same, in a list. */
export function makeListEvaluator(trees: readonly Expression[], slotOf: SlotOf): (values: Values) => Value[] {
  const generated = generateExpressions(trees, slotOf)
  if (generated !== null) return generated
  const evaluators = trees.map((tree) => compileExpression(tree, leafAt(slotOf)))
  return (values) => evaluators.map((evaluate) => evaluate(values))
}

/** How closures read a leaf. */
export function leafAt(slotOf: SlotOf): LeafResolver<Values> {
  return (leaf) => {
    const { index, divisor } = slotOf(leaf)
    if (divisor === 1) return (values) => values[index]!
    return (values) => {
      const scaled = values[index]!
      return scaled === null ? null : Number(scaled) / divisor
    }
  }
}

/** `compileExpression` written out as one function for one tree. Null where code generation is off. */
export function generateExpression(tree: Expression, slotOf: SlotOf): Evaluator<Values> | null {
  const constants: unknown[] = []
  const source = functionSource(tree, { slotOf, constants })
  return link<Evaluator<Values>>(`return ${source}`, constants)
}

/** A function per tree, which is optimised apart from the others, and one that calls them all. */
export function generateExpressions(
  trees: readonly Expression[],
  slotOf: SlotOf,
): ((values: Values) => Value[]) | null {
  const constants: unknown[] = []
  const functions: string[] = []
  const results = trees.map((tree, index) => {
    const plain = plainLeaf(tree, slotOf)
    if (plain !== null) return plain
    functions.push(`const f${index} = ${functionSource(tree, { slotOf, constants })}`)
    return `f${index}(values)`
  })
  return link([...functions, `return (values) => [${results.join(', ')}]`].join('\n'), constants)
}

const tools = { compare: compareStrings, round: roundHalfAwayFromZero, oneHotOf, bucketOf, max: Number.MAX_VALUE }

function link<Made>(body: string, constants: readonly unknown[]): Made | null {
  const names = [
    ...Object.keys(tools).map((name) => `const ${name} = tools.${name}`),
    ...constants.map((_, index) => `const k${index} = constants[${index}]`),
  ]
  const make = generate<(from: typeof tools, values: readonly unknown[]) => Made>(
    ['tools', 'constants'],
    [...names, body].join('\n'),
  )
  return make === null ? null : make(tools, constants)
}

type Scope = {
  readonly slotOf: SlotOf
  /** What the source names `k0`, `k1`, …: everything but whole numbers. */
  readonly constants: unknown[]
}

/** A leaf whose value is given on as it stands. */
function plainLeaf(tree: Expression, slotOf: SlotOf): string | null {
  if (tree.op !== 'field' && tree.op !== 'aggregate') return null
  const { index, divisor } = slotOf(tree)
  return divisor === 1 ? `values[${index}]` : null
}

function functionSource(tree: Expression, scope: Scope): string {
  const plain = plainLeaf(tree, scope.slotOf)
  if (plain !== null) return `(values) => ${plain}`
  const writer = new Writer(scope)
  const { code, isNumber } = writer.write(tree)
  const result = isNumber ? `${code} === ${code} ? ${code} : null` : code
  return ['(values) => {', ...writer.lines, `return ${result}`, '}'].join('\n')
}

/**
 * A variable or constant of the source that holds the value of a tree. The null of a number is NaN, which no value is:
 * it comes through arithmetic by itself, and a number that may be missing stays a plain double.
 */
type Held = { readonly code: string; readonly isNumber: boolean }

const infix: { readonly [op in Operator]?: string } = {
  add: '+',
  subtract: '-',
  multiply: '*',
  divide: '/',
  eq: '===',
  ne: '!==',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
}

/** Writes statements that evaluate what the closures evaluate, and nothing that they leave alone. */
class Writer {
  readonly lines: string[] = []
  readonly #scope: Scope
  #variables = 0

  constructor(scope: Scope) {
    this.#scope = scope
  }

  write(tree: Expression): Held {
    switch (tree.op) {
      case 'literal':
        return this.#literal(tree.value)
      case 'field':
      case 'aggregate':
        return this.#leaf(tree)
      default:
        return this.#operator(tree)
    }
  }

  #operator(node: Node): Held {
    switch (node.op) {
      case 'add':
      case 'subtract':
      case 'multiply':
      case 'divide': {
        const [a, b] = this.#operands(node)
        const result = `${a} ${infix[node.op]} ${b}`
        return this.#saturated(node.op === 'divide' ? `${b} === 0 ? NaN : ${result}` : result)
      }
      case 'negate':
        return this.#ordinary(`-${this.#number(node.args[0])}`)
      case 'abs':
      case 'log':
      case 'sqrt':
        return this.#ordinary(`Math.${node.op}(${this.#number(node.args[0])})`)
      case 'round':
        return this.#ordinary(`round(${this.#number(node.args[0])})`)
      case 'number': {
        const { code } = this.write(node.args[0]!)
        return this.#set(`${code} === null ? NaN : ${code} === true ? 1 : 0`, true)
      }
      case 'eq':
      case 'ne':
      case 'lt':
      case 'lte':
      case 'gt':
      case 'gte':
        return this.#comparison(node)
      case 'hour':
      case 'dayOfWeek':
      case 'isWeekend': {
        const ts = this.#number(node.args[0])
        const part = this.#constant(makeTimePart(node.op, node.options?.zone ?? 'UTC'))
        const isNumber = node.op !== 'isWeekend'
        return this.#set(`${ts} === ${ts} ? ${part}(${ts}) : ${isNumber ? 'NaN' : 'null'}`, isNumber)
      }
      case 'in':
      case 'oneHot':
      case 'bucketize':
        return this.#lookup(node)
      case 'not': {
        const { code } = this.write(node.args[0]!)
        return this.#set(`${code} === null ? null : ${code} !== true`, false)
      }
      case 'isNull':
        return this.#set(isNull(this.write(node.args[0]!)), false)
      case 'and':
      case 'or':
        return this.#threeValued(node)
      case 'coalesce':
        return this.#coalesce(node)
      case 'case':
        return this.#case(node)
    }
  }

  #leaf(leaf: Leaf): Held {
    const { index, kind, divisor } = this.#scope.slotOf(leaf)
    const { code } = this.#set(`values[${index}]`, false)
    if (!isNumberKind(kind)) return { code, isNumber: false }
    return this.#set(`${code} === null ? NaN : ${divisor === 1 ? code : `${code} / ${this.#numeral(divisor)}`}`, true)
  }

  #literal(value: Literal): Held {
    if (typeof value === 'number') return { code: this.#numeral(value), isNumber: true }
    return { code: typeof value === 'string' ? this.#constant(value) : String(value), isNumber: false }
  }

  /** Never -0. */
  #numeral(value: number): string {
    return Number.isSafeInteger(value) ? `(${value + 0})` : this.#constant(value)
  }

  #constant(value: unknown): string {
    return `k${this.#scope.constants.push(value) - 1}`
  }

  #set(code: string, isNumber: boolean): Held {
    const name = this.#name()
    this.lines.push(`const ${name} = ${code}`)
    return { code: name, isNumber }
  }

  #name(): string {
    return `v${this.#variables++}`
  }

  /** Only of an ordinary number is the difference from itself zero; adding zero makes 0 of -0. */
  #ordinary(code: string): Held {
    const { code: name } = this.#set(code, true)
    return this.#set(`${name} - ${name} === 0 ? ${name} + 0 : NaN`, true)
  }

  /** What is too large for a double is the largest one. NaN fails both comparisons and stays. */
  #saturated(code: string): Held {
    const { code: name } = this.#set(code, true)
    return this.#set(`${name} > max ? max : ${name} < -max ? -max : ${name} + 0`, true)
  }

  /** A literal null fits everywhere, and so is a number too. */
  #number(tree: Expression | undefined): string {
    return tree === undefined ? 'NaN' : asNumber(this.write(tree))
  }

  #operands({ args: [left, right] }: Node): readonly [string, string] {
    const a = this.#number(left)
    return [a, this.#number(right)]
  }

  #comparison({ op, args: [left, right] }: Node): Held {
    const a = this.write(left!)
    const b = this.write(right!)
    const isText = this.#isText(left!) && op !== 'eq' && op !== 'ne'
    const order = isText ? `compare(${a.code}, ${b.code}) ${infix[op]} 0` : `${a.code} ${infix[op]} ${b.code}`
    return this.#set(`${isNull(a)} || ${isNull(b)} ? null : ${order}`, false)
  }

  /** Whether its values are texts, as far as they are not null. */
  #isText(tree: Expression): boolean {
    switch (tree.op) {
      case 'literal':
        return typeof tree.value === 'string'
      case 'field':
      case 'aggregate':
        return this.#scope.slotOf(tree).kind === 'string'
      case 'coalesce':
      case 'case':
        return resultsOf(tree).some((result) => this.#isText(result))
      default:
        return false
    }
  }

  /** Whether its values are numbers, as far as they are not null; a literal null may be one. */
  #mayBeNumber(tree: Expression): boolean {
    switch (tree.op) {
      case 'literal':
        return tree.value === null || typeof tree.value === 'number'
      case 'field':
      case 'aggregate':
        return isNumberKind(this.#scope.slotOf(tree).kind)
      case 'coalesce':
      case 'case':
        return resultsOf(tree).every((result) => this.#mayBeNumber(result))
      default:
        return numberOperators.has(tree.op)
    }
  }

  #lookup({ op, args: [operand], options }: Node): Held {
    const held = this.write(operand!)
    if (op === 'in') {
      const members = this.#constant(new Set(options?.values))
      return this.#set(`${isNull(held)} ? null : ${members}.has(${held.code})`, false)
    }
    if (op === 'oneHot') {
      return this.#set(`oneHotOf(${this.#constant(options?.values ?? [])}, ${held.code})`, false)
    }
    const value = asNumber(held)
    const boundaries = this.#constant(options?.boundaries ?? [])
    return this.#set(`${value} === ${value} ? bucketOf(${boundaries}, ${value}) : NaN`, true)
  }

  #threeValued({ op, args }: Node): Held {
    const deciding = op === 'or'
    const result = this.#variable(String(!deciding))
    this.lines.push(`${result}: {`)
    for (const arg of args) {
      const { code } = this.write(arg)
      this.lines.push(`if (${code} === ${deciding}) { ${result} = ${deciding}; break ${result} }`)
      this.lines.push(`if (${code} === null) ${result} = null`)
    }
    this.lines.push('}')
    return { code: result, isNumber: false }
  }

  #coalesce(node: Node): Held {
    const isNumber = this.#mayBeNumber(node)
    const [first, second] = node.args
    const result = this.#variable('null')
    this.#assign(result, first!, isNumber)
    this.lines.push(`if (${isNull({ code: result, isNumber })}) {`)
    this.#assign(result, second!, isNumber)
    this.lines.push('}')
    return { code: result, isNumber }
  }

  #case(node: Node): Held {
    const isNumber = this.#mayBeNumber(node)
    const { args } = node
    const result = this.#variable('null')
    this.lines.push(`${result}: {`)
    for (let index = 0; index + 1 < args.length; index += 2) {
      const { code } = this.write(args[index]!)
      this.lines.push(`if (${code} === true) {`)
      this.#assign(result, args[index + 1]!, isNumber)
      this.lines.push(`break ${result}`, '}')
    }
    this.#assign(result, args.at(-1)!, isNumber)
    this.lines.push('}')
    return { code: result, isNumber }
  }

  /** Its name may also be that of the block which sets it. */
  #variable(value: string): string {
    const name = this.#name()
    this.lines.push(`let ${name} = ${value}`)
    return name
  }

  #assign(name: string, tree: Expression, isNumber: boolean): void {
    const held = this.write(tree)
    assert(isNumber || !held.isNumber, 'results of one type')
    this.lines.push(`${name} = ${isNumber ? asNumber(held) : held.code}`)
  }
}

const numberOperators: ReadonlySet<Operator> = new Set<Operator>([
  ...(['add', 'subtract', 'multiply', 'divide', 'negate', 'abs', 'round', 'log', 'sqrt'] as const),
  ...(['number', 'hour', 'dayOfWeek', 'bucketize'] as const),
])

function isNumberKind(kind: Slot['kind']): boolean {
  return kind === 'int' || kind === 'float' || kind === 'decimal' || kind === 'timestamp'
}

/** What a `coalesce` or a `case` may give. */
function resultsOf({ op, args }: Node): readonly Expression[] {
  return op === 'coalesce' ? args : args.filter((_, index) => index % 2 === 1 || index === args.length - 1)
}

function isNull({ code, isNumber }: Held): string {
  return isNumber ? `${code} !== ${code}` : `${code} === null`
}

function asNumber({ code, isNumber }: Held): string {
  assert(isNumber || code === 'null', 'an operand that is a number')
  return isNumber ? code : 'NaN'
}
