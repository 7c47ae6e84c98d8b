#!/usr/bin/env node
import { makeProgram } from './program.ts'
import { printFault } from './output.ts'

// Whoever reads our output may stop early (`| head`): that ends us, and is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await makeProgram().parseAsync(process.argv)
} catch (error) {
  printFault(error)
  process.exitCode = 1
}
