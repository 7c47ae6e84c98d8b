import { assert } from './assert.ts'

/**
 * A small assembler for WebAssembly: expressions as functions of their operands, blocks with labels, functions of whole
 * numbers that give one. For loops over bytes that have to look at sixteen of them at once.
 *
 * Names here are those of the specification. Memory is addressed by `at` plus a fixed `base`.
 *
 * https://webassembly.github.io/spec/core/binary/
 */
export type Code = number | readonly Code[] | Block | Branch

type Label = symbol
type Block = { readonly opcode: number; readonly label: Label | null; readonly body: Code; readonly otherwise?: Code }
/** `by`: the instruction; null in a table, which has one for all. */
type Branch = { readonly to: Label; readonly by: number | null }

const types = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b } as const
export type ValueType = keyof typeof types

/** A local or global variable. */
export type Variable = { readonly get: Code; readonly set: (value: Code) => Code }

const binary =
  (opcode: number) =>
  (left: Code, right: Code): Code => [left, right, opcode]
const unary =
  (opcode: number) =>
  (value: Code): Code => [value, opcode]
const load =
  (opcode: number) =>
  (at: Code, base = 0): Code => [at, opcode, 0, unsigned(base)]
const store =
  (opcode: number) =>
  (at: Code, value: Code, base = 0): Code => [at, value, opcode, 0, unsigned(base)]

export const i32 = {
  const: (value: number): Code => [0x41, signed(BigInt(value | 0))],
  load: load(0x28),
  load8: load(0x2d),
  store: store(0x36),
  eqz: unary(0x45),
  eq: binary(0x46),
  ne: binary(0x47),
  lt: binary(0x48),
  ltU: binary(0x49),
  gt: binary(0x4a),
  gtU: binary(0x4b),
  leU: binary(0x4d),
  ge: binary(0x4e),
  ctz: unary(0x68),
  add: binary(0x6a),
  sub: binary(0x6b),
  and: binary(0x71),
  or: binary(0x72),
  xor: binary(0x73),
  shl: binary(0x74),
  fromI64: unary(0xa7),
}

export const i64 = {
  const: (value: bigint): Code => [0x42, signed(BigInt.asIntN(64, value))],
  load: load(0x29),
  eq: binary(0x51),
  add: binary(0x7c),
  mul: binary(0x7e),
  and: binary(0x83),
  or: binary(0x84),
  xor: binary(0x85),
  shl: binary(0x86),
  shrU: binary(0x88),
  eqz: unary(0x50),
  fromI32: unary(0xad),
  /** One of two values. Both are computed. */
  select: (condition: Code, value: Code, otherwise: Code): Code => [value, otherwise, condition, 0x1b],
}

export const f64 = {
  const: (value: number): Code => [0x44, ...new Uint8Array(Float64Array.of(value).buffer)],
  load: load(0x2b),
  store: store(0x39),
  gt: binary(0x64),
  abs: unary(0x99),
  neg: unary(0x9a),
  add: binary(0xa0),
  mul: binary(0xa2),
  div: binary(0xa3),
  fromI64: unary(0xb9),
}

const simd = (opcode: number): readonly number[] => [0xfd, ...unsigned(opcode)]

/** Sixteen bytes at once. */
export const v128 = {
  zero: [simd(12), Array.from({ length: 16 }, () => 0)] as Code,
  load: (at: Code, base = 0): Code => [at, simd(0), 0, unsigned(base)],
  store: (at: Code, value: Code, base = 0): Code => [at, value, simd(11), 0, unsigned(base)],
  splat: (byte: number): Code => [i32.const(byte), simd(15)],
  eq: (left: Code, right: Code): Code => [left, right, simd(35)],
  ltU: (left: Code, right: Code): Code => [left, right, simd(38)],
  or: (left: Code, right: Code): Code => [left, right, simd(80)],
  /** One bit per byte: its highest. */
  bitmask: (value: Code): Code => [value, simd(100)],
}

/** Goes on behind its end when branched to. */
export function block(body: (end: Label) => Code): Code {
  const label = Symbol('end')
  return { opcode: 0x02, label, body: body(label) }
}

/** Goes on at its start when branched to, and otherwise behind its end. */
export function loop(body: (again: Label) => Code): Code {
  const label = Symbol('again')
  return { opcode: 0x03, label, body: body(label) }
}

export function when(condition: Code, body: Code, otherwise?: Code): Code {
  const made = { opcode: 0x04, label: null, body }
  return [condition, otherwise === undefined ? made : { ...made, otherwise }]
}

export function branch(to: Label, condition: Code | null = null): Code {
  return condition === null ? { to, by: 0x0c } : [condition, { to, by: 0x0d }]
}

export function give(value: Code): Code {
  return [value, 0x0f]
}

/** The body of the case of a number; behind all of them when it has none. Cases that are not empty lie in one another. */
export function choose(number: Code, cases: readonly (readonly Code[])[]): Code {
  const end = Symbol('end')
  const labels = cases.map((body) => (body.length === 0 ? end : Symbol('case')))
  const table: Code = [
    number,
    0x0e,
    unsigned(cases.length),
    labels.map((to) => ({ to, by: null })),
    { to: end, by: null },
  ]
  const nested = cases.reduce<Code>(
    (inner, body, index) =>
      body.length === 0 ? inner : [{ opcode: 0x02, label: labels[index]!, body: inner }, body, branch(end)],
    table,
  )
  return { opcode: 0x02, label: end, body: nested }
}

type Exports = { readonly memory: { readonly buffer: ArrayBuffer }; readonly run: unknown }

/** As far as it is used here; undefined where a process may not make any (`node --jitless`). */
const engine = (
  globalThis as unknown as {
    readonly WebAssembly?: {
      readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
      readonly Instance: new (module: object) => { readonly exports: Exports }
    }
  }
).WebAssembly

export const hasWasm: boolean = engine !== undefined

/** A function of 32-bit integers that gives one. It may be called before it is defined. */
export type WasmFunction = { readonly number: number; readonly call: (...values: readonly Code[]) => Code }

type Defined = { readonly parameters: number; locals: ValueType[]; body: Code | null }

export class WasmModule {
  readonly #functions: Defined[] = []
  readonly #globals: ValueType[] = []

  declare(parameters: number): WasmFunction {
    const number = this.#functions.length
    this.#functions.push({ parameters, locals: [], body: null })
    return { number, call: (...values) => [values, 0x10, unsigned(number)] }
  }

  define(
    { number }: WasmFunction,
    body: (parameters: readonly Variable[], local: (type: ValueType) => Variable) => Code,
  ): void {
    const own = this.#functions[number]!
    const variable = (index: number): Variable => ({
      get: [0x20, unsigned(index)],
      set: (value) => [value, 0x21, unsigned(index)],
    })
    const parameters = Array.from({ length: own.parameters }, (_, index) => variable(index))
    own.body = body(parameters, (type) => variable(own.parameters + own.locals.push(type) - 1))
  }

  /** A variable that all functions see. */
  global(type: ValueType): Variable {
    const number = unsigned(this.#globals.push(type) - 1)
    return { get: [0x23, number], set: (value) => [value, 0x24, number] }
  }

  /**
   * With memory for so many bytes, which are zero, and one of the functions to be called; null where there is no room
   * for it: each takes 10 GB of addresses, though few of memory.
   */
  instantiate(bytes: number, run: WasmFunction): { readonly memory: ArrayBuffer; readonly run: unknown } | null {
    assert(engine !== undefined, 'whoever makes a module asked whether it can run')
    const module = new engine.Module(this.#encode(Math.ceil(bytes / 65_536), run))
    try {
      const { memory, run: made } = new engine.Instance(module).exports
      return { memory: memory.buffer, run: made }
    } catch (error) {
      if (error instanceof RangeError) return null
      throw error
    }
  }

  #encode(pages: number, run: WasmFunction): Uint8Array<ArrayBuffer> {
    const signatures = [...new Set(this.#functions.map(({ parameters }) => parameters))]
    const typed = signatures.map((count) => [
      0x60,
      vector(Array.from({ length: count }, () => types.i32)),
      1,
      types.i32,
    ])
    const zeros = { i32: i32.const(0), i64: i64.const(0n), f64: f64.const(0), v128: [] } as const
    const bodies = this.#functions.map(({ locals, body }) => {
      const code = flat([vector(locals.map((type) => [1, types[type]])), body ?? 0x00, 0x00, 0x0b])
      return [unsigned(code.length), code]
    })
    return Uint8Array.from([
      ...magicAndVersion,
      ...section(1, typed),
      ...section(
        3,
        this.#functions.map(({ parameters }) => unsigned(signatures.indexOf(parameters))),
      ),
      ...section(5, [[1, unsigned(pages), unsigned(pages)]]),
      ...section(
        6,
        this.#globals.map((type) => [types[type], 1, zeros[type], 0x0b]),
      ),
      ...section(7, [
        [name('memory'), 2, 0],
        [name('run'), 0, unsigned(run.number)],
      ]),
      ...section(10, bodies),
    ])
  }
}

const magicAndVersion = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]

function section(id: number, entries: readonly Code[]): number[] {
  const content = flat(vector(entries))
  return [id, ...unsigned(content.length), ...content]
}

function vector(entries: readonly Code[]): Code {
  return [unsigned(entries.length), entries]
}

function name(text: string): Code {
  return vector([...Buffer.from(text)])
}

/** Bytes of code, with branches as the number of blocks that they leave. */
function flat(code: Code, into: number[] = [], around: readonly (Label | null)[] = []): number[] {
  if (typeof code === 'number') into.push(code)
  else if ('to' in code) {
    if (code.by !== null) into.push(code.by)
    into.push(...unsigned(around.indexOf(code.to)))
  } else if ('opcode' in code) {
    const inside = [code.label, ...around]
    into.push(code.opcode, 0x40)
    flat(code.body, into, inside)
    if (code.otherwise !== undefined) {
      into.push(0x05)
      flat(code.otherwise, into, inside)
    }
    into.push(0x0b)
  } else for (const part of code) flat(part, into, around)
  return into
}

function unsigned(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return bytes
}

function signed(value: bigint): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7n) {
    const low = Number(rest & 0x7fn)
    const isLast = (rest >> 7n === 0n && low < 0x40) || (rest >> 7n === -1n && low >= 0x40)
    bytes.push(isLast ? low : low | 0x80)
    if (isLast) return bytes
  }
}
