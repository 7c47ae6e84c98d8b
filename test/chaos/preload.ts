/**
 * Loaded before a process under test (`node --import`): the sources run as they are, but for the file system that the
 * log gets, and what happens at a crash point.
 */
import { appendFileSync, writeSync } from 'node:fs'
import { registerHooks } from 'node:module'
import process from 'node:process'
import { onCrashPoint } from '../../src/base/crash-points.ts'
import { readProcessFaults } from './process-faults.ts'

const { crash, samples } = readProcessFaults()

if (crash !== null) {
  let count = 0
  onCrashPoint((name) => {
    if (name !== crash.point || ++count !== crash.nth) return
    writeSync(1, `crashed ${name}\n`)
    process.kill(process.pid, 'SIGKILL')
  })
}

if (samples !== null) {
  const { file, everyMs } = samples
  setInterval(() => {
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
    const upMs = Math.round(performance.now())
    appendFileSync(file, `${JSON.stringify({ atMs: Date.now(), upMs, rss, heapUsed, external, arrayBuffers })}\n`)
  }, everyMs).unref()
}

const wholeLog = new URL('../../src/log/embedded/embedded-log.ts', import.meta.url).href
const faultyLog = new URL('./faulty-log.ts', import.meta.url).href
const app = new URL('../../src/app/', import.meta.url).href

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    return found.url === wholeLog && context.parentURL?.startsWith(app) === true ? { ...found, url: faultyLog } : found
  },
})
