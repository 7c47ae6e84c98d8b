import type { Clock } from '../../base/clock.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'
import type { RegisteredSchema } from '../../plan/writer-schemas.ts'
import { schemaBytesMax } from '../../schema/avro/avro-type.ts'

/** Where a registry is, and who asks it. */
export type RegistryAccess = { readonly url: string; readonly authorization: string | null }

export type RegistryEnvironment = Readonly<Record<string, string | undefined>>

/**
 * The registry of a format, with the credentials of the environment: they go to the registry that SCHEMA_REGISTRY_URL
 * names and to no other, whatever definitions say. Throws `SCHEMA_REGISTRY_UNNAMED`.
 */
export function registryAccess(url: string | null, environment: RegistryEnvironment): RegistryAccess {
  const own = environment['SCHEMA_REGISTRY_URL']
  const named = url ?? own
  if (named === undefined || !URL.canParse(named)) throw new MillraceError('SCHEMA_REGISTRY_UNNAMED', {})
  const plain = named.replace(/\/+$/, '')
  const isOwn = own !== undefined && URL.canParse(own) && new URL(own).origin === new URL(plain).origin
  return { url: plain, authorization: isOwn ? authorizationOf(environment) : null }
}

function authorizationOf(environment: RegistryEnvironment): string | null {
  const token = environment['SCHEMA_REGISTRY_TOKEN']
  if (token !== undefined) return `Bearer ${token}`
  const user = environment['SCHEMA_REGISTRY_USER']
  if (user === undefined) return null
  const pair = `${user}:${environment['SCHEMA_REGISTRY_PASSWORD'] ?? ''}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

export type RegistryPatience = {
  /** How long one answer may take. Default: 10 s. */
  readonly answerMs?: number
  /** How long a registry that does not answer is asked again, a little less often each time. Default: 2 minutes. */
  readonly patienceMs?: number
  readonly signal?: AbortSignal
}

const pauseMsMax = 10_000
const referencesMax = 100

/** A registry that speaks Confluent's API: numbers of schemas, and the newest schema of a subject. Only reads. */
export class SchemaRegistry {
  readonly #access: RegistryAccess
  readonly #clock: Clock
  readonly #patience: RegistryPatience

  constructor(access: RegistryAccess, clock: Clock, patience: RegistryPatience = {}) {
    this.#access = access
    this.#clock = clock
    this.#patience = patience
  }

  /** The schema of a number; null: there is none. Throws `SCHEMA_REGISTRY_UNREACHABLE`, `SCHEMA_REGISTRY_REFUSED`. */
  async schema(id: number): Promise<RegisteredSchema | null> {
    const found = await this.#get(`/schemas/ids/${id}`, 40_403)
    return found === null ? null : await this.#withReferences(found)
  }

  /** The newest schema of a subject; null: it has none. */
  async latest(subject: string): Promise<RegisteredSchema | null> {
    const found = await this.#get(`/subjects/${encodeURIComponent(subject)}/versions/latest`, 40_401)
    return found === null ? null : await this.#withReferences(found)
  }

  async #withReferences(found: Answer): Promise<RegisteredSchema> {
    const references: string[] = []
    const seen = new Set<string>()
    const visit = async (answer: Answer): Promise<void> => {
      for (const { subject, version } of referencesOf(answer)) {
        const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`
        if (seen.has(path)) continue
        seen.add(path)
        if (seen.size > referencesMax) throw this.#refused(`a schema refers to more than ${referencesMax} others`)
        const referred = await this.#get(path, 40_402)
        if (referred === null)
          throw this.#refused(`it does not have ${subject} version ${version}, which a schema refers to`)
        await visit(referred)
        references.push(referred.schema)
      }
    }
    await visit(found)
    return { type: found.schemaType ?? 'AVRO', schema: found.schema, references }
  }

  /** Null: the registry says that there is none. Other refusals are faults: a good record must not suffer for them. */
  async #get(path: string, absentCode: number): Promise<Answer | null> {
    const clock = this.#clock
    const { patienceMs = 120_000, signal } = this.#patience
    const startedAt = clock.elapsed()
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
      let trouble: string
      try {
        const { status, body } = await this.#ask(path)
        if (status === 200) return this.#read(body)
        if (status === 404 && isAbsent(body, absentCode)) return null
        if (status < 500 && status !== 429 && status !== 408)
          throw this.#refused(`${status} for ${path}: ${excerpt(body)}`)
        trouble = `it answers ${status}`
      } catch (error) {
        if (error instanceof MillraceError) throw error
        trouble = messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error)
      }
      if (clock.elapsed() - startedAt + pauseMs > patienceMs || signal?.aborted === true) {
        throw new MillraceError('SCHEMA_REGISTRY_UNREACHABLE', { url: this.#access.url, detail: trouble })
      }
      await clock.sleep(pauseMs, signal)
    }
  }

  async #ask(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const { url, authorization } = this.#access
    const { answerMs = 10_000, signal } = this.#patience
    const timeout = AbortSignal.timeout(answerMs)
    const response = await fetch(`${url}${path}`, {
      headers: {
        accept: 'application/vnd.schemaregistry.v1+json, application/json',
        ...(authorization === null ? {} : { authorization }),
      },
      // Credentials go where they were meant to go, and nowhere on from there.
      redirect: 'error',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of response.body ?? []) {
      size += (chunk as Uint8Array).length
      // Escaped as JSON a schema takes more room.
      if (size > 4 * schemaBytesMax) throw this.#refused(`${path} is larger than ${4 * schemaBytesMax} bytes`)
      chunks.push(chunk as Uint8Array)
    }
    return { status: response.status, body: Buffer.concat(chunks).toString() }
  }

  #read(body: string): Answer {
    let answer: Partial<Answer> | null
    try {
      answer = JSON.parse(body) as Partial<Answer> | null
    } catch {
      throw this.#refused(`its answer is not JSON: ${excerpt(body)}`)
    }
    if (typeof answer?.schema !== 'string') throw this.#refused(`its answer has no schema: ${excerpt(body)}`)
    return answer as Answer
  }

  #refused(detail: string): MillraceError {
    return new MillraceError('SCHEMA_REGISTRY_REFUSED', { url: this.#access.url, detail })
  }
}

type Answer = {
  readonly schema: string
  readonly schemaType?: string
  readonly references?: readonly unknown[]
}

type Reference = { readonly subject: string; readonly version: number }

function referencesOf({ references = [] }: Answer): Reference[] {
  return references.filter((one): one is Reference => {
    const { subject, version } = (one ?? {}) as Partial<Reference>
    return typeof subject === 'string' && Number.isInteger(version)
  })
}

/**
 * A 404 by the registry's own word. One of a proxy, or of an address that is none of a registry's, says nothing of a
 * number; and a number is also unknown where a registry says so in its own way, as those do that check its range first.
 */
function isAbsent(body: string, code: number): boolean {
  try {
    const { error_code: found } = JSON.parse(body) as { readonly error_code?: unknown }
    return typeof found === 'number' && (found === code || Math.floor(found / 100) === 404)
  } catch {
    return false
  }
}

function excerpt(body: string): string {
  return body.length > 200 ? `${body.slice(0, 200)}…` : body
}
