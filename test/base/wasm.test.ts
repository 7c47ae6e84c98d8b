import assert from 'node:assert/strict'
import { test } from 'node:test'
import { block, branch, choose, type Code, give, i32, i64, loop, v128, WasmModule, when } from '../../src/base/wasm.ts'

/** A module of one function, of one integer. */
function assembled(body: Parameters<WasmModule['define']>[1]) {
  const module = new WasmModule()
  const own = module.declare(1)
  module.define(own, body)
  const { memory, run } = module.instantiate(65_536, own)!
  return { memory: new Uint8Array(memory), run: run as (value: number) => number }
}

test('loops and blocks go on where their labels say, through whatever is around', () => {
  const { run } = assembled(([count], local) => {
    const sum = local('i32')
    return [
      block((end) =>
        loop((again) => [
          when(i32.eqz(count!.get), branch(end)),
          sum.set(i32.add(sum.get, count!.get)),
          count!.set(i32.sub(count!.get, i32.const(1))),
          when(i32.gt(sum.get, i32.const(1_000)), give(i32.const(-1)), branch(again)),
        ]),
      ),
      give(sum.get),
    ]
  })
  assert.deepEqual([run(0), run(10), run(40), run(50)], [0, 55, 820, -1])
})

test('a choice takes the case of its number and goes on behind all of them', () => {
  const { run } = assembled(([number], local) => {
    const found = local('i32')
    const cases = [10, null, 30].map((value): Code[] => (value === null ? [] : [found.set(i32.const(value))]))
    return [found.set(i32.const(-1)), choose(number!.get, cases), give(i32.add(found.get, i32.const(1)))]
  })
  assert.deepEqual([0, 1, 2, 3, 99, -1].map(run), [11, 0, 31, 0, 0, 0])
})

test('constants of any size are what they say', () => {
  for (const value of [0, 1, 63, 64, -1, -64, -65, 127, 128, 8_191, 8_192, 2 ** 31 - 1, -(2 ** 31)]) {
    assert.equal(assembled(() => give(i32.const(value))).run(0), value)
    const wide = (BigInt(value) << 32n) | 5n
    const high = i32.fromI64(i64.shrU(i64.const(wide), i64.const(32n)))
    assert.equal(assembled(() => give(high)).run(0), value)
  }
})

test('sixteen bytes are compared at once', () => {
  const { memory, run } = assembled(([at]) => give(v128.bitmask(v128.eq(v128.load(at!.get, 32), v128.splat(0x22)))))
  memory.set(Buffer.from('a"b"............"'), 32)
  assert.deepEqual([run(0), run(1)], [0b1010, 0b1000_0000_0000_0101])
})
