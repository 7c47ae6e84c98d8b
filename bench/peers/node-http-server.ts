/** The process behind node-http.ts: gets its answer by message, then serves it until it is ended. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

type Order = { readonly answer: string } | 'cpu'

process.on('message', (order: Order) => {
  if (order === 'cpu') {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuSeconds: (user + system) / 1e6 })
  } else {
    serve(Buffer.from(order.answer))
  }
})
// Whoever started this is gone.
process.on('disconnect', () => process.exit())

function serve(answer: Buffer): void {
  const headers = { 'content-type': 'application/json', 'content-length': answer.length }
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      response.writeHead(200, headers)
      response.end(answer)
    })
  })
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
}
