import { undeclared } from '../plan/find.ts'
import type { ViewPlan } from '../plan/plan.ts'
import { definitionsFromJson } from '../registry/definitions-json.ts'
import { differenceLines } from '../registry/difference.ts'
import type {
  ApplyRequest,
  ApplyResponse,
  HttpService,
  ReadRequest,
  ReadResponse,
  ReadRow,
} from '../serve/http-service.ts'
import type { Mill } from './mill.ts'
import { summaryOf } from './versions.ts'

/** Features asked for one by one, or all of a service: which views to read, and which of their values to answer with. */
type Selection = {
  readonly service: string | null
  readonly views: readonly ViewPlan[]
  readonly names: readonly string[]
  /** Index among all values of the views; null: all, in order. */
  readonly picks: readonly number[] | null
}

/** A running mill as the HTTP server sees it. */
export function makeHttpService(mill: Mill, metrics: HttpService['metrics']): HttpService {
  const reasons = (): string[] => {
    const { fault, halted } = mill.engine
    const stopped = halted.map((one) => `partition ${one.partition} of ${one.topic} has stopped: ${one.fault.message}`)
    return fault === null ? stopped : [fault.message, ...stopped]
  }
  return {
    ingest: async (stream, bodies) => await mill.ingest(stream, bodies),
    read: (request) => read(mill, request),
    forget: async ({ entity, keys }) => await mill.forget(entity, keys),
    replay: async (request) => await mill.replays.replay(request),
    fix: async (request) => await mill.replays.fix(request),
    health: () => ({ healthy: reasons().length === 0, reasons: reasons() }),
    ready: () => ({
      ready: mill.engine.fault === null && !mill.closing,
      reasons: mill.closing ? ['shutting down'] : reasons(),
    }),
    metrics,
    registry: () => mill.versions.state(),
    version: (number) => mill.versions.version(number),
    apply: (request) => apply(mill, request),
  }
}

async function apply(mill: Mill, { change, ...options }: ApplyRequest): Promise<ApplyResponse> {
  const { version, changed, difference } = await ('rollback' in change
    ? mill.versions.rollback(change.rollback, options)
    : mill.versions.apply(definitionsFromJson(change.definitions), options))
  return { version: summaryOf(version), changed, difference: differenceLines(difference) }
}

function read(mill: Mill, { target, entities, asOf, with: added, full }: ReadRequest): ReadResponse {
  const { service, views, names, picks } = select(mill, target)
  // One instant for all entities of a request, read once.
  const instant = asOf ?? (added === undefined ? mill.now() : undefined)
  const pick = <T>(all: readonly T[]): readonly T[] => (picks === null ? all : picks.map((index) => all[index]!))
  let common: number | null = null
  const rows = entities.map((keys): ReadRow => {
    const vector = mill.reader.read(views, keys, {
      ...(instant === undefined ? {} : { asOf: instant }),
      ...(added === undefined ? {} : { with: added }),
    })
    common = vector.asOf
    const values = pick(vector.values)
    if (!full) return { asOf: vector.asOf, values }
    return { asOf: vector.asOf, values, status: pick(vector.status), ageMs: pick(vector.ageMs) }
  })
  return {
    service,
    asOf: instant ?? common ?? mill.now(),
    features: names,
    rows,
    prefix: mill.reader.prefixOf(views),
  }
}

function select(mill: Mill, target: ReadRequest['target']): Selection {
  if ('service' in target) {
    const views = mill.reader.viewsOf(target.service)
    return {
      service: target.service,
      views,
      names: views.flatMap((view) => view.features.map(({ name }) => name)),
      picks: null,
    }
  }
  const views: ViewPlan[] = []
  const found = target.features.map((path) => {
    const [viewName = '', featureName = ''] = path.split(':')
    const view = mill.plan.views.find(({ name }) => name === viewName)
    const index = view?.features.findIndex(({ name }) => name === featureName) ?? -1
    if (view === undefined || index < 0) {
      const declared = mill.plan.views.flatMap(({ name, features }) =>
        features.map((feature) => `${name}:${feature.name}`),
      )
      throw undeclared('feature', path, declared)
    }
    if (!views.includes(view)) views.push(view)
    return { view, index }
  })
  const starts = new Map<ViewPlan, number>()
  let start = 0
  for (const view of views) {
    starts.set(view, start)
    start += view.features.length
  }
  return {
    service: null,
    views,
    names: target.features,
    picks: found.map(({ view, index }) => starts.get(view)! + index),
  }
}
