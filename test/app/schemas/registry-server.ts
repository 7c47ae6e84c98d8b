import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Registered = {
  readonly schema: unknown
  readonly schemaType?: string
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[]
}

/** Answers as Confluent's registry does, for what a test needs to happen at a moment: silence, errors, a late schema. */
export type RegistryServer = {
  readonly url: string
  readonly asked: string[]
  readonly headers: IncomingMessage['headers'][]
  /** By number; and by `subject/version`. */
  readonly schemas: Map<string, Registered>
  /** What every request gets instead; null: its answer. */
  trouble: { readonly status: number; readonly body: string } | 'silence' | null
  close(): Promise<void>
}

export async function startRegistry(): Promise<RegistryServer> {
  const schemas = new Map<string, Registered>()
  const asked: string[] = []
  const headers: IncomingMessage['headers'][] = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!)
    asked.push(path)
    headers.push(request.headers)
    const { trouble } = running
    if (trouble === 'silence') return
    if (trouble !== null) return response.writeHead(trouble.status).end(trouble.body)
    const [, id] = /^\/schemas\/ids\/(\d+)$/.exec(path) ?? []
    const [, subject, version] = /^\/subjects\/([^/]+)\/versions\/(\w+)$/.exec(path) ?? []
    const found = schemas.get(id ?? `${subject}/${version}`)
    if (found !== undefined) {
      const { schema, ...rest } = found
      return response.end(
        JSON.stringify({ schema: typeof schema === 'string' ? schema : JSON.stringify(schema), ...rest }),
      )
    }
    const [code, message] = id === undefined ? [40401, 'Subject not found.'] : [40403, 'Schema not found']
    return response.writeHead(404).end(JSON.stringify({ error_code: code, message }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const running: RegistryServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    headers,
    schemas,
    trouble: null,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return running
}
