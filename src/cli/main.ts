#!/usr/bin/env node
import { enableCompileCache } from 'node:module'

// Each command is a process of its own: what one compiled, the next ones find in the folder for temporary files. Before
// anything else is imported, and without effect where that folder cannot be written.
enableCompileCache()
const { makeProgram } = await import('./program.ts')
const { printFault } = await import('./output.ts')

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
