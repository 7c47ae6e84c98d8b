import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { generate } from '../../src/base/generate.ts'

test('a function is made of its parameters and its body', () => {
  const add = generate<(a: number, b: number) => number>(['a', 'b'], 'return a + b')
  assert.equal(add?.(1, 2), 3)
})

test('a source that could hold a text of somebody else is refused', () => {
  for (const body of ['return "a"', "return 'a'", 'return `a`', 'return a\\u0061']) {
    assert.throws(() => generate([], body), { message: /generated code holds no text/ })
  }
  assert.throws(() => generate(['a, b'], 'return 1'))
})

test('where code generation is off there is none', () => {
  const script = `import { generate } from '${new URL('../../src/base/generate.ts', import.meta.url).href}'
    console.log(generate([], 'return 1'))`
  const args = ['--disallow-code-generation-from-strings', '--input-type=module-typescript', '--eval', script]
  assert.equal(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim(), 'null')
})
