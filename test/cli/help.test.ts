import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Command } from 'commander'
import { makeProgram } from '../../src/cli/program.ts'

// Goal: every change of a `--help` is seen in review.
// Method: the text of each command at a fixed width is a committed file; `UPDATE=1` writes them anew.

const folder = join(import.meta.dirname, 'help')
const width = 80

const commands = [...withPaths(makeProgram(), [])]

for (const { name, command } of commands) {
  test(`the help of ${name.replaceAll('-', ' ')} is the committed text`, () => {
    const file = join(folder, `${name}.txt`)
    const text = helpOf(command)
    if (process.env['UPDATE'] === '1') writeFileSync(file, text)
    assert.equal(text, readFileSync(file, 'utf8'))
  })
}

test('there is no committed help of a command that is gone', () => {
  assert.deepEqual(readdirSync(folder).sort(), commands.map(({ name }) => `${name}.txt`).sort())
})

test('no line of any help is wider than the terminal', () => {
  for (const { name, command } of commands) {
    for (const line of helpOf(command).split('\n')) assert.ok(line.length <= width, `${name}: ${line}`)
  }
})

function* withPaths(command: Command, parents: readonly string[]): Generator<{ name: string; command: Command }> {
  const path = [...parents, command.name()]
  yield { name: path.length === 1 ? path[0]! : path.slice(1).join('-'), command }
  for (const subcommand of command.commands) yield* withPaths(subcommand, path)
}

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => {
      text += part
    },
    getOutHelpWidth: () => width,
    getOutHasColors: () => false,
  })
  command.outputHelp()
  return text
}
