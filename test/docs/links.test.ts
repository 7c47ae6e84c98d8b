import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { blocksOf, linkedFiles } from './markdown.ts'

const root = join(import.meta.dirname, '../..')

for (const document of globSync('{*.md,docs/**/*.md}', { cwd: root }).sort()) {
  const text = readFileSync(join(root, document), 'utf8')

  test(`every file that ${document} links to exists`, () => {
    for (const target of linkedFiles(text)) {
      assert.ok(existsSync(join(root, dirname(document), target)), `there is no ${target}`)
    }
  })

  test(`every path that ${document} names exists`, () => {
    for (const [, path] of text.matchAll(/`((?:src|test|scripts|examples|docs|bench)\/[\w./-]+)`/g)) {
      assert.ok(existsSync(join(root, path!)), `there is no ${path}`)
    }
  })
}

test('blocks are found with their comment, language and line', () => {
  const text = 'a\n\n<!-- file: x y -->\n```ts\none\n```\n```\n```\n\n```text\n```not a fence\n```\n'
  assert.deepEqual(blocksOf(text), [
    { language: 'ts', marker: { kind: 'file', source: 'x y' }, text: 'one\n', line: 4 },
    { language: '', marker: null, text: '', line: 7 },
    { language: 'text', marker: null, text: '```not a fence\n', line: 10 },
  ])
})

test('links are found outside of code', () => {
  const text = '[a](b.md#c) [d](https://e) [f](#g) `[h](i)`\n```\n[j](k)\n```\n[l](m/n)'
  assert.deepEqual(linkedFiles(text), ['b.md', 'm/n'])
})
