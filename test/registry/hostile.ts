/** Data that must not become definitions: each case changes good data, and says where the fault is to be found. */
export type Hostile = {
  readonly title: string
  /** Gets good data to change, or gives text of its own. */
  readonly change: (data: Loose) => unknown
  readonly path: string
}

type Loose = { [name: string]: Loose; [index: number]: Loose }

const set = (names: string, value: unknown) => (data: Loose) => {
  const steps = names.split('.')
  let at: Record<string, unknown> = data as never
  for (const step of steps.slice(0, -1)) at = at[step] as never
  if (value === undefined) delete at[steps.at(-1)!]
  else Object.defineProperty(at, steps.at(-1)!, { value, enumerable: true, configurable: true, writable: true })
  return data
}

const field = { op: 'field', name: 'amount' }
const tree = 'views.0.features.0.tree'
const call = `${tree}.call`
const treePath = 'views[0].features[0].tree'
const callPath = `${treePath}.call`
const nested = (depth: number, build: (inner: unknown) => unknown): unknown => {
  let value: unknown = field
  for (let level = 0; level < depth; level++) value = build(value)
  return value
}
/** Of a fault 257 levels deep. */
const shortened = (step: string): string => {
  const path = treePath + step.repeat(257)
  return `${path.slice(0, 80)}…${path.slice(-60)}`
}
const own = (text: string): unknown => JSON.parse(text)

export const hostile: readonly Hostile[] = [
  { title: 'no JSON', change: () => '{', path: 'the top' },
  { title: 'nothing', change: () => '', path: 'the top' },
  { title: 'null', change: () => 'null', path: 'the top' },
  { title: 'an array', change: () => '[]', path: 'the top' },
  { title: 'text', change: () => '"definitions"', path: 'the top' },
  { title: 'arrays a hundred thousand deep', change: () => `${'['.repeat(1e5)}${']'.repeat(1e5)}`, path: 'the top' },
  { title: 'no version', change: set('version', undefined), path: 'version' },
  { title: 'a version to come', change: set('version', 2), path: 'version' },
  { title: 'a version as text', change: set('version', '1'), path: 'version' },
  { title: 'a member too many', change: set('code', 'process.exit()'), path: 'the top' },
  { title: '__proto__ at the top', change: set('__proto__', own('{"polluted":1}')), path: 'the top' },
  { title: 'entities that are no list', change: set('entities', { length: 1, 0: {} }), path: 'entities' },
  {
    title: 'too many entities',
    change: set(
      'entities',
      Array.from({ length: 1_001 }, () => 0),
    ),
    path: 'entities',
  },
  { title: 'an entity that is null', change: set('entities.0', null), path: 'entities[0]' },
  { title: 'an entity without keys', change: set('entities.0.keys', undefined), path: 'entities[0].keys' },
  { title: 'a name that is a number', change: set('entities.0.name', 1), path: 'entities[0].name' },
  { title: 'an empty name', change: set('entities.0.name', ''), path: 'entities[0].name' },
  { title: 'a name with a digit first', change: set('entities.0.name', '0'), path: 'entities[0].name' },
  { title: 'a name with a line break', change: set('entities.0.name', 'a\nb'), path: 'entities[0].name' },
  {
    title: 'a name of a thousand letters',
    change: set('entities.0.name', 'a'.repeat(1_000)),
    path: 'entities[0].name',
  },
  {
    title: 'one entity twice',
    change: (data) => {
      const entities = data['entities'] as unknown as unknown[]
      entities.push(entities[0])
      return data
    },
    path: 'entities[1]',
  },
  {
    title: 'one field twice',
    change: (data) => {
      const fields = data['streams']![0]!['fields'] as unknown as unknown[]
      fields.push(fields[0])
      return data
    },
    path: 'streams[0].fields[4]',
  },
  {
    title: 'a kind of field that is not',
    change: set('streams.0.fields.0.kind', 'uuid'),
    path: 'streams[0].fields[0].kind',
  },
  {
    title: 'a kind of field that every object has',
    change: set('streams.0.fields.0.kind', 'constructor'),
    path: 'streams[0].fields[0].kind',
  },
  { title: 'a scale for an int', change: set('streams.0.fields.0.scale', 2), path: 'streams[0].fields[0].scale' },
  {
    title: 'a decimal without a scale',
    change: set('streams.0.fields.0.kind', 'decimal'),
    path: 'streams[0].fields[0].scale',
  },
  { title: 'a unit for an int', change: set('streams.0.fields.0.unit', 'ms'), path: 'streams[0].fields[0].unit' },
  { title: 'an unknown unit', change: set('streams.0.fields.3.unit', 'ns'), path: 'streams[0].fields[3].unit' },
  {
    title: 'an unknown presence',
    change: set('streams.0.fields.0.presence', 'maybe'),
    path: 'streams[0].fields[0].presence',
  },
  { title: 'a path that is a list', change: set('streams.0.fields.0.path', ['a']), path: 'streams[0].fields[0].path' },
  { title: 'a topic that is null', change: set('streams.0.topic', null), path: 'streams[0].topic' },
  { title: 'a key that is text', change: set('streams.0.key', 'id'), path: 'streams[0].key' },
  { title: 'a lateness in numbers', change: set('streams.0.lateness', 60_000), path: 'streams[0].lateness' },
  { title: 'a stream with a decoder', change: set('streams.0.decode', 'x'), path: 'streams[0]' },
  { title: 'a view of no stream', change: set('views.0.from', 'nothing'), path: 'views[0].from' },
  { title: 'a view of a name that every object has', change: set('views.0.from', '__proto__'), path: 'views[0].from' },
  { title: 'a view by no entity', change: set('views.0.entity', 'toString'), path: 'views[0].entity' },
  { title: 'a view without its join key', change: set('views.0.keys', []), path: 'views[0].keys' },
  {
    title: 'a view with a foreign join key',
    change: set('views.0.keys.0.name', 'other'),
    path: 'views[0].keys',
  },
  { title: 'a filter that is text', change: set('views.0.where', 'amount > 0'), path: 'views[0].where' },
  { title: 'a filter that is a list', change: set('views.0.where', [field]), path: 'views[0].where' },
  { title: 'an operator that is not', change: set(`${tree}.op`, 'eval'), path: `${treePath}.op` },
  { title: 'an operator that every object has', change: set(`${tree}.op`, 'constructor'), path: `${treePath}.op` },
  { title: 'an operator __proto__', change: set(`${tree}.op`, '__proto__'), path: `${treePath}.op` },
  { title: 'an operator that is a list', change: set(`${tree}.op`, ['add']), path: `${treePath}.op` },
  { title: 'no operator', change: set(tree, own('{"__proto__":{"op":"field","name":"x"}}')), path: treePath },
  { title: 'a tree that is null', change: set(tree, null), path: treePath },
  { title: 'no tree', change: set(tree, undefined), path: treePath },
  { title: 'a literal object', change: set(tree, { op: 'literal', value: {} }), path: `${treePath}.value` },
  {
    title: 'a literal too large for a number',
    change: () => bad(`{"op":"literal","value":1e999}`),
    path: `${treePath}.value`,
  },
  { title: 'a literal with arguments', change: set(tree, { op: 'literal', value: 1, args: [] }), path: treePath },
  { title: 'a field without a name', change: set(tree, { op: 'field' }), path: `${treePath}.name` },
  { title: 'an operator without arguments', change: set(tree, { op: 'add' }), path: `${treePath}.args` },
  { title: 'one argument for two', change: set(tree, { op: 'add', args: [field] }), path: `${treePath}.args` },
  { title: 'no argument for one', change: set(tree, { op: 'not', args: [] }), path: `${treePath}.args` },
  {
    title: 'three arguments for two',
    change: set(tree, { op: 'eq', args: [field, field, field] }),
    path: `${treePath}.args`,
  },
  {
    title: 'a case without an otherwise',
    change: set(tree, { op: 'case', args: [field, field] }),
    path: `${treePath}.args`,
  },
  { title: 'arguments as an object', change: set(tree, { op: 'not', args: { 0: field } }), path: `${treePath}.args` },
  { title: 'a null argument', change: set(tree, { op: 'not', args: [null] }), path: `${treePath}.args[0]` },
  {
    title: 'operators too deep',
    change: set(
      tree,
      nested(1_000, (inner) => ({ op: 'negate', args: [inner] })),
    ),
    path: shortened('.args[0]'),
  },
  {
    title: 'filters of aggregations too deep',
    change: set(
      tree,
      nested(500, (filter) => ({
        op: 'aggregate',
        call: { name: 'count', input: null, filter, window: { over: '1d', offset: null }, options: {} },
      })),
    ),
    path: shortened('.call.filter'),
  },
  {
    title: 'too many values',
    change: set(tree, { op: 'in', args: [field], options: { values: Array.from({ length: 1_001 }, () => 1) } }),
    path: `${treePath}.options.values`,
  },
  {
    title: 'a value that is an object',
    change: set(tree, { op: 'in', args: [field], options: { values: [{}] } }),
    path: `${treePath}.options.values[0]`,
  },
  {
    title: 'boundaries that are text',
    change: set(tree, { op: 'bucketize', args: [field], options: { boundaries: ['1'] } }),
    path: `${treePath}.options.boundaries[0]`,
  },
  {
    title: 'a zone that is a number',
    change: set(tree, { op: 'hour', args: [field], options: { zone: 1 } }),
    path: `${treePath}.options.zone`,
  },
  {
    title: 'an option that is not',
    change: set(tree, { op: 'not', args: [field], options: { other: 1 } }),
    path: `${treePath}.options`,
  },
  { title: 'an aggregation that is not', change: set(`${call}.name`, 'percentile'), path: `${callPath}.name` },
  { title: 'an aggregation that every object has', change: set(`${call}.name`, 'valueOf'), path: `${callPath}.name` },
  { title: 'a window that is text', change: set(`${call}.window`, '1d'), path: `${callPath}.window` },
  {
    title: 'a window without an offset',
    change: set(`${call}.window`, { over: '1d' }),
    path: `${callPath}.window.offset`,
  },
  { title: 'a window in numbers', change: set(`${call}.window.over`, 1), path: `${callPath}.window.over` },
  {
    title: 'a precision that is text',
    change: set(`${call}.window.precision`, '1h'),
    path: `${callPath}.window.precision`,
  },
  {
    title: 'a precision of another kind',
    change: set(`${call}.window.precision`, { rounded: '1h' }),
    path: `${callPath}.window.precision`,
  },
  {
    title: 'a hop in numbers',
    change: set(`${call}.window.precision`, { sawtooth: 1 }),
    path: `${callPath}.window.precision.sawtooth`,
  },
  { title: 'options that are null', change: set(`${call}.options`, null), path: `${callPath}.options` },
  { title: 'a k that is text', change: set(`${call}.options`, { k: '3' }), path: `${callPath}.options.k` },
  {
    title: 'an unknown kind of variance',
    change: set(`${call}.options`, { of: 'all' }),
    path: `${callPath}.options.of`,
  },
  { title: 'a service of no view', change: set('services.0.views.0', 'nothing'), path: 'services[0].views[0]' },
  { title: 'a service of a number', change: set('services.0.views.0', 0), path: 'services[0].views[0]' },
]

/** Text, because `JSON.stringify` would not write it. */
function bad(tree: string): string {
  const stream = `{"name":"s","topic":"s","fields":[],"time":"at","id":null,"key":[],"lateness":"1m","dedupe":"1h","future":"5m"}`
  const view = `{"name":"v","from":"s","entity":"e","keys":[],"where":null,"ttl":null,"horizon":"1h","features":[{"name":"f","tree":${tree}}]}`
  return `{"version":1,"entities":[{"name":"e","keys":[]}],"streams":[${stream}],"views":[${view}],"services":[]}`
}
