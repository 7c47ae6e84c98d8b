import { MillraceError, messageOf } from '../base/faults.ts'

export type Answer = { readonly status: number; readonly body: unknown }

type Body = { readonly type: string; readonly content: string | Uint8Array<ArrayBuffer> }

/**
 * Sends a request to a running millrace, GET without a body. Throws `SERVER_UNREACHABLE`; a refusal is an answer like
 * any other.
 */
export async function request(url: string, path: string, body: Body | null): Promise<Answer> {
  const unreachable = (detail: string, cause: unknown): MillraceError =>
    new MillraceError('SERVER_UNREACHABLE', { url, detail }, { cause })
  let response: Response
  let text: string
  try {
    const target = new URL(path, /^https?:\/\//.test(url) ? url : `http://${url}`)
    response = await fetch(
      target,
      body === null ? {} : { method: 'POST', headers: { 'content-type': body.type }, body: body.content },
    )
    text = await response.text()
  } catch (error) {
    // `fetch` says no more than "fetch failed"; what failed is in the cause.
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    throw unreachable(messageOf(cause), error)
  }
  try {
    return { status: response.status, body: JSON.parse(text) as unknown }
  } catch (error) {
    throw unreachable(`it answered ${response.status} without JSON, so it is no millrace`, error)
  }
}
