import { MillraceError, messageOf } from '../base/faults.ts'

/** Sends a request to a running millrace; a refused one becomes the fault that the server answered with. */
export async function request(
  url: string,
  path: string,
  body?: { type: string; content: string | Uint8Array },
): Promise<{ status: number; body: unknown }> {
  let response: Response
  try {
    const post = body && { method: 'POST', headers: { 'content-type': body.type }, body: body.content as string }
    response = await fetch(new URL(path, url), post ?? {})
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error)
    throw new MillraceError('SERVER_UNREACHABLE', { url, detail: cause }, { cause: error })
  }
  const text = await response.text()
  try {
    return { status: response.status, body: JSON.parse(text) as unknown }
  } catch (error) {
    throw new MillraceError(
      'SERVER_UNREACHABLE',
      { url, detail: `it answered ${response.status} and no JSON` },
      { cause: error },
    )
  }
}

/** The message and hint of an error answer. */
export function errorText(body: unknown): string {
  const error = (body as { error?: { code?: string; message?: string; hint?: string } } | null)?.error
  if (error === undefined) return JSON.stringify(body)
  return `${error.code ?? 'error'}: ${error.message ?? ''}${error.hint === undefined ? '' : `\n${error.hint}`}`
}
