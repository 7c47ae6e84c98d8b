#!/usr/bin/env node
import { makeProgram } from './program.ts'
import { printFault } from './output.ts'

try {
  await makeProgram().parseAsync(process.argv)
} catch (error) {
  printFault(error)
  process.exitCode = 1
}
