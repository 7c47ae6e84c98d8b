import type { AggregateCall, Expression } from '../schema/expression.ts'

const infix: Readonly<Record<string, string>> = {
  add: '+',
  subtract: '-',
  multiply: '*',
  divide: '/',
  eq: '=',
  ne: '<>',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
  and: 'and',
  or: 'or',
}

/** A tree as a reader understands it. For people: never parsed back. */
export function expressionText(tree: Expression): string {
  switch (tree.op) {
    case 'field':
      return tree.name
    case 'literal':
      return typeof tree.value === 'string' ? JSON.stringify(tree.value) : String(tree.value)
    case 'aggregate':
      return callText(tree.call)
    default: {
      const args = tree.args.map((arg) =>
        'args' in arg && infix[arg.op] ? `(${expressionText(arg)})` : expressionText(arg),
      )
      const sign = infix[tree.op]
      if (sign !== undefined) return args.join(` ${sign} `)
      const { values, boundaries, zone } = tree.options ?? {}
      const list = values ?? boundaries
      if (list !== undefined) args.push(JSON.stringify(list))
      if (zone !== undefined && zone !== 'UTC') args.push(JSON.stringify(zone))
      return `${tree.op}(${args.join(', ')})`
    }
  }
}

export function callText({ name, input, filter, window, options }: AggregateCall): string {
  const extra = Object.entries(options).map(([option, value]) => `${option} ${value}`)
  const inside = [...(input === null ? [] : [expressionText(input)]), ...extra].join(', ')
  const where = filter === null ? '' : ` where ${expressionText(filter)}`
  const offset = window.offset === null ? '' : ` offset ${window.offset}`
  const tail = window.precision === undefined ? '' : `, tail to ${window.precision.sawtooth}`
  return `${name}(${inside})${where} over ${window.over}${offset}${tail}`
}
