import { createHmac } from 'node:crypto'

/**
 * The header `millrace-signature`: `t=1767268800,v1=…`, the seconds of the attempt, and the HMAC-SHA256 in hex of these
 * seconds, a dot and the bytes of the body. Whoever receives it computes the same, and refuses old seconds.
 */
export function signatureOf(secret: string, body: Uint8Array, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1_000)
  const hmac = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex')
  return `t=${seconds},v1=${hmac}`
}
