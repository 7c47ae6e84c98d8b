import { describe } from '../schema/decode.ts'
import type { AggregateCall, Expression } from '../schema/expression.ts'
import type { Fields } from '../schema/field.ts'
import { isZone } from '../schema/time-parts.ts'
import { isNumeric, nameOfType, type TypedNullable, typeOfField, type ValueType } from '../schema/value-type.ts'
import type { FaultList } from './faults.ts'

/** What may stand at the leaves of an expression: fields of an event, or aggregations of a feature. */
export type Scope =
  | { readonly kind: 'event'; readonly stream: string; readonly fields: Fields }
  | { readonly kind: 'feature'; readonly typeOfCall: (call: AggregateCall, path: string) => TypedNullable | null }

type Check = { readonly scope: Scope; readonly path: string; readonly faults: FaultList }

const int: ValueType = { kind: 'int' }
const float: ValueType = { kind: 'float' }
const boolean: ValueType = { kind: 'boolean' }

/** The type of a tree, or null when it has faults, all of which are reported. */
export function typeOf(tree: Expression, check: Check): TypedNullable | null {
  const { scope, path, faults } = check
  switch (tree.op) {
    case 'field': {
      if (scope.kind === 'feature') {
        faults.add(path, `field "${tree.name}" stands outside an aggregation`, 'wrap it: on.last(…), on.row(…)')
        return null
      }
      const field = Object.hasOwn(scope.fields, tree.name) ? scope.fields[tree.name] : undefined
      if (field === undefined) {
        const declared = Object.keys(scope.fields)
        faults.unknown(path, `field of stream "${scope.stream}"`, { name: tree.name, declared })
        return null
      }
      return { type: typeOfField(field), nullable: field.presence !== 'required' }
    }
    case 'aggregate':
      if (scope.kind === 'feature') return scope.typeOfCall(tree.call, path)
      faults.add(path, `"${tree.call.name}" stands inside an expression of one event`, 'aggregate outside of it')
      return null
    case 'literal':
      return typeOfLiteral(tree.value, check)
    default: {
      const args = tree.args.map((arg) => typeOf(arg, check))
      if (args.includes(null)) return null
      return typeOfOperator(tree, args as TypedNullable[], check)
    }
  }
}

function typeOfLiteral(value: unknown, { path, faults }: Check): TypedNullable | null {
  if (value === null) return { type: float, nullable: true }
  if (typeof value === 'string') return { type: { kind: 'string' }, nullable: false }
  if (typeof value === 'boolean') return { type: boolean, nullable: false }
  if (typeof value === 'number' && Number.isFinite(value)) {
    return { type: Number.isSafeInteger(value) ? int : float, nullable: false }
  }
  faults.add(path, `literal ${describe(value)} has no meaning`, 'a finite number, a string, true, false or null')
  return null
}

type Node = Extract<Expression, { args: readonly Expression[] }>

/** What each operator takes; the result follows from it. */
function typeOfOperator(node: Node, args: readonly TypedNullable[], check: Check): TypedNullable | null {
  const nullable = args.some((arg) => arg.nullable)
  const fits = (allowed: string, test: (type: ValueType, index: number) => boolean): boolean =>
    args.every((arg, index) => {
      // A literal null fits everywhere.
      const nullLiteral = isNullLiteral(node.args[index])
      if (nullLiteral || test(arg.type, index)) return true
      check.faults.add(check.path, `"${node.op}" got ${nameOfType(arg.type)}`, `it takes ${allowed}`)
      return false
    })
  switch (node.op) {
    case 'subtract':
      if (args.every(({ type }) => type.kind === 'timestamp')) return { type: float, nullable }
      return fits('numbers, or two instants', isNumeric) ? { type: float, nullable } : null
    case 'add':
    case 'multiply':
    case 'negate':
    case 'abs':
    case 'round':
      return fits('numbers', isNumeric) ? { type: float, nullable } : null
    case 'divide':
    case 'log':
    case 'sqrt':
      return fits('numbers', isNumeric) ? { type: float, nullable: true } : null
    case 'eq':
    case 'ne':
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte': {
      const first = args[0]!.type
      return fits(`two values of one type, here ${nameOfType(first)}`, (type) => isComparable(first, type))
        ? { type: boolean, nullable }
        : null
    }
    case 'and':
    case 'or':
    case 'not':
      return fits('conditions', (type) => type.kind === 'boolean') ? { type: boolean, nullable } : null
    case 'isNull':
      return { type: boolean, nullable: false }
    case 'number':
      return fits('a condition', (type) => type.kind === 'boolean') ? { type: int, nullable } : null
    case 'hour':
    case 'dayOfWeek':
    case 'isWeekend':
      return fits('an instant', (type) => type.kind === 'timestamp') ? typeOfTimePart(node, nullable, check) : null
    case 'in':
    case 'oneHot':
    case 'bucketize':
      return typeOfLookup(node, args[0]!, check)
    case 'coalesce':
      return fits('two values of one type', (type) => isComparable(args[0]!.type, type))
        ? { type: common(args), nullable: args.every((arg) => arg.nullable) }
        : null
    case 'case':
      return typeOfCase(node, args, check)
  }
}

function typeOfTimePart(node: Node, nullable: boolean, { path, faults }: Check): TypedNullable | null {
  const zone = node.options?.zone ?? 'UTC'
  if (!isZone(zone)) {
    faults.add(path, `time zone "${zone}" is not known`, 'an IANA name such as "Europe/Paris"')
    return null
  }
  return { type: node.op === 'isWeekend' ? boolean : int, nullable }
}

function typeOfLookup(node: Node, operand: TypedNullable, { path, faults }: Check): TypedNullable | null {
  const values = node.options?.values ?? []
  const boundaries = node.options?.boundaries ?? []
  if (node.op === 'bucketize') {
    const ascending = boundaries.every(
      (value, index) => Number.isFinite(value) && (index === 0 || boundaries[index - 1]! < value),
    )
    if (isNumeric(operand.type) && ascending && boundaries.length > 0) return { type: int, nullable: operand.nullable }
    faults.add(
      path,
      `"bucketize" got ${nameOfType(operand.type)} and [${boundaries.join(', ')}]`,
      'a number, ascending boundaries',
    )
    return null
  }
  const fitting = values.every((value) => isComparable(operand.type, { kind: kindOfLiteral(value) }))
  if (values.length === 0 || values.length > 1_000 || !fitting) {
    faults.add(path, `"${node.op}" got ${values.length} values`, `1 to 1000 values of type ${nameOfType(operand.type)}`)
    return null
  }
  if (node.op === 'in') return { type: boolean, nullable: operand.nullable }
  if (operand.type.kind !== 'string') {
    faults.add(path, `"oneHot" got ${nameOfType(operand.type)}`, 'it takes a string')
    return null
  }
  return { type: { kind: 'list', of: { kind: 'int' } }, nullable: false }
}

function typeOfCase(node: Node, args: readonly TypedNullable[], { path, faults }: Check): TypedNullable | null {
  const results = args.filter((_, index) => index % 2 === 1 || index === args.length - 1)
  const known = results.filter((_, index) => !isNullLiteral(node.args[Math.min(index * 2 + 1, node.args.length - 1)]))
  const conditions = args.filter((_, index) => index % 2 === 0 && index !== args.length - 1)
  if (conditions.some(({ type }) => type.kind !== 'boolean')) {
    faults.add(path, '"when" got something other than a condition', 'a comparison, or and/or/not of comparisons')
    return null
  }
  const first = known[0]?.type ?? float
  if (!known.every(({ type }) => isComparable(first, type))) {
    faults.add(path, `"when" gives ${known.map(({ type }) => nameOfType(type)).join(' or ')}`, 'results of one type')
    return null
  }
  return { type: common(known), nullable: results.some((result) => result.nullable) }
}

function isNullLiteral(node: Expression | undefined): boolean {
  return node?.op === 'literal' && node.value === null
}

function kindOfLiteral(value: unknown): 'string' | 'boolean' | 'float' {
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'boolean' : 'float'
}

function isComparable(left: ValueType, right: ValueType): boolean {
  return (isNumeric(left) && isNumeric(right)) || (left.kind === right.kind && left.kind !== 'list')
}

/** One type for values of several: different kinds of number meet in float. */
function common(types: readonly TypedNullable[]): ValueType {
  const first = types[0]?.type ?? float
  return types.every(({ type }) => nameOfType(type) === nameOfType(first)) && first.kind !== 'decimal' ? first : float
}
