import { MillraceError } from '../base/faults.ts'
import { nearest } from '../base/nearest.ts'
import type { Plan, StreamPlan, ViewPlan } from './plan.ts'

/** The fault of a name that is not declared: what there is, and which of it was probably meant. */
export function undeclared(kind: string, name: string, declared: readonly string[]): MillraceError {
  const details = { kind, name, declared: declared.join(', '), nearest: nearest(name, declared) ?? '' }
  return new MillraceError('NAME_UNDECLARED', details)
}

/** The views that a feature service, or a view by itself, stands for. Throws `NAME_UNDECLARED`. */
export function viewsOf(plan: Plan, name: string): readonly ViewPlan[] {
  const service = plan.services.find((one) => one.name === name)
  if (service !== undefined) return service.views
  const view = plan.views.find((one) => one.name === name)
  if (view !== undefined) return [view]
  const declared = [...plan.services, ...plan.views].map((one) => one.name)
  throw undeclared('feature service or view', name, declared)
}

/** Throws `NAME_UNDECLARED`. */
export function streamOf(plan: Plan, name: string): StreamPlan {
  const stream = plan.streams.find((one) => one.name === name)
  if (stream !== undefined) return stream
  const declared = plan.streams.map((one) => one.name)
  throw undeclared('stream', name, declared)
}
