// Goal: an action is listed, stopped and resumed from the command line, in a folder and in a running process alike.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { startServer } from '../../src/app/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import { makeFolder, open, payment, payments, settled, toTopic, valuesOf } from '../app/actions/acting.ts'
import { runCli } from './run-cli.ts'

test('an action is stopped in a folder, seen to be so by a process, and resumed there', async () => {
  const folder = await makeFolder()
  try {
    await (await open(folder, [toTopic])).close()
    const stopped = await runCli(['action', 'stop', 'block', '--folder', folder, '--note', 'too many', '--json'])
    assert.equal(stopped.code, 0, stopped.stderr)
    assert.equal((JSON.parse(stopped.stdout) as { stopped: { note: string } }).stopped.note, 'too many')
    const mill = await open(folder, [toTopic])
    const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
    const listed = async (): Promise<string> => {
      const { code, stdout, stderr } = await runCli(['action', 'list', '--url', server.address])
      assert.equal(code, 0, stderr)
      return stdout
    }
    const metrics = async (): Promise<string> => await (await fetch(`${server.address}/metrics`)).text()
    try {
      await mill.send(payments, [payment(0, 1), payment(1, 0.1)])
      await mill.caughtUp()
      await mill.engine.checkpoint()
      assert.match(await listed(), /block +risk where score > 0.8 +topic blocked +stopped .*: too many +0 +0 +0 +0 +2/)
      assert.match(await metrics(), /millrace_action_stopped{action="block"} 1/)
      const resumed = await runCli(['action', 'resume', 'block', '--url', server.address])
      assert.equal(resumed.code, 0, resumed.stderr)
      await settled(mill)
      assert.equal((await valuesOf(mill, 'blocked')).length, 1)
      assert.match(await listed(), /acts +1 +1 +0 +0 +0/)
      const text = await metrics()
      assert.match(text, /millrace_actions_total{action="block",what="met"} 1/)
      assert.match(text, /millrace_action_stopped{action="block"} 0/)
      const unknown = await runCli(['action', 'stop', 'blok', '--url', server.address])
      assert.equal(unknown.code, 1)
      assert.match(unknown.stderr, /block/)
    } finally {
      await server.close()
      await mill.close()
    }
    const read = await runCli(['action', 'list', '--folder', folder])
    assert.match(read.stdout, /block +risk where score > 0.8 +topic blocked +acts/)
  } finally {
    await rm(folder, { recursive: true })
  }
})
