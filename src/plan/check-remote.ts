import type { Fields } from '../schema/field.ts'
import type { RemoteModel } from '../definition/declared-model.ts'
import type { FaultList } from './faults.ts'

/** A model on a server, as its author declared it; checked. */
export type RemotePlan = RemoteModel

type Checked = { readonly output: Fields; readonly faults: FaultList }

/** Whether a remote model can be asked at all, as far as that shows without asking. */
export function checkRemote(path: string, remote: RemoteModel, { output, faults }: Checked): void {
  const url = URL.parse(remote.url)
  const allowed = 'http:// or https://, without user, password, query and fragment; secrets come by headersFrom'
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    faults.add(`${path}.url`, `it is ${JSON.stringify(remote.url)}`, allowed)
  } else if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    // Not shown: it may hold a secret.
    faults.add(`${path}.url`, 'it holds more than a place', allowed)
  }
  if (remote.model === '') faults.add(`${path}.model`, 'it is empty', 'the name of the model over there')
  const whole = { timeoutMs: 60_000, connectionsMax: 1_024, answerBytesMax: 2 ** 30, pauseMs: 3_600_000 } as const
  for (const [name, max] of Object.entries(whole)) {
    const value = remote[name as keyof typeof whole]
    if (Number.isSafeInteger(value) && value >= 1 && value <= max) continue
    faults.add(`${path}.${name}`, `it is ${String(value)}`, `a whole number from 1 to ${max}`)
  }
  if (!(remote.retryShare >= 0 && remote.retryShare <= 1)) {
    faults.add(`${path}.retryShare`, `it is ${String(remote.retryShare)}`, 'a number from 0 to 1')
  }
  for (const [header, variable] of Object.entries(remote.headersFrom)) {
    if (/^[a-z0-9-]{1,64}$/i.test(header) && /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(variable)) continue
    faults.add(`${path}.headersFrom`, JSON.stringify({ [header]: variable }), '{ header: "NAME_OF_A_VARIABLE" }')
  }
  checkFallback(`${path}.fallback`, remote.fallback, { output, faults })
}

function checkFallback(path: string, fallback: RemoteModel['fallback'], { output, faults }: Checked): void {
  if (fallback === null || typeof fallback === 'function' || fallback.type === 'onnx') return
  if (fallback.type === 'remote') {
    checkRemote(path, fallback, { output, faults })
    return
  }
  for (const [name, { kind, presence }] of Object.entries(output)) {
    const value = fallback.output[name]
    const isKind =
      kind === 'int' ? Number.isSafeInteger(value) : kind === 'float' ? Number.isFinite(value) : typeof value === kind
    if (isKind || (value === null && presence !== 'required')) continue
    const came = value === undefined ? 'missing' : JSON.stringify(value)
    faults.add(`${path}.output.${name}`, `it is ${came}`, `a value of ${kind}, as the model declares it`)
  }
}
