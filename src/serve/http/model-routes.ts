import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MillraceError } from '../../base/faults.ts'
import { modelType, parseModelChange, parseModelPush } from './model-request.ts'
import { answer, rawBody, readiness, type RouteParts } from './route.ts'

type Params = { readonly Params: { readonly model: string } }

/** The registry of models: what is there, and how it is changed. */
export function addModelRoutes(server: FastifyInstance, { service, limits, checkReady }: RouteParts): void {
  const onRequest = readiness(checkReady)
  server.get('/v1/models', (_request, reply) => answer(reply, 200, { models: service.models() }))
  server.get<Params>('/v1/models/:model', (request, reply) => {
    const { model } = request.params
    return answer(reply, 200, service.model(model))
  })
  const changing = { onRequest, bodyLimit: limits.readBytesMax }
  server.post<Params>('/v1/models/:model', changing, async (request, reply) => {
    const { body } = rawBody(request, ['application/json'])
    const change = parseModelChange(body)
    return answer(reply, 200, await service.changeModel({ model: request.params.model, ...change }))
  })
  const pushes = new OneAtATime()
  const pushing = { onRequest: [onRequest, pushes.begin], bodyLimit: limits.pushBytesMax }
  server.post<Params>('/v1/models/:model/versions', pushing, async (request, reply) => {
    const { body } = rawBody(request, [modelType])
    return await pushes.work(async () => {
      const pushed = parseModelPush(body)
      return answer(reply, 200, await service.pushModel({ model: request.params.model, ...pushed }))
    })
  })
}

/** Bodies of this size are not collected side by side: whoever is not the only one is refused before theirs is read. */
class OneAtATime {
  #holder: FastifyRequest | null = null
  #isWorking = false

  readonly begin = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    if (this.#holder !== null) throw new MillraceError('MODEL_PUSH_BUSY', {})
    this.#holder = request
    // Also a body that is refused, or never comes; but a client that goes away while its push is made frees no memory.
    reply.raw.once('close', () => {
      if (this.#holder === request && !this.#isWorking) this.#holder = null
    })
    done()
  }

  async work<T>(run: () => Promise<T>): Promise<T> {
    this.#isWorking = true
    try {
      return await run()
    } finally {
      this.#isWorking = false
      this.#holder = null
    }
  }
}
