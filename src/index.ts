export { type Clock, systemClock } from './base/clock.ts'
export type { Duration } from './base/duration.ts'
export { type FaultCode, MillraceError } from './base/faults.ts'
export { type Action, action, env, topic, webhook } from './definition/action.ts'
export { type Entity, entity } from './definition/entity.ts'
export { when } from './definition/expressions.ts'
export { type FeatureService, featureService } from './definition/feature-service.ts'
export { type FeatureView, featureView, type Sawtooth, sawtooth } from './definition/feature-view.ts'
export type { Infer, KeysOf } from './definition/infer.ts'
export { isModel, type Model } from './definition/declared-model.ts'
export {
  type Canary,
  type Experiment,
  experiment,
  type ExperimentOptions,
  isExperiment,
} from './definition/experiment.ts'
export { model, onnx, registry } from './definition/model.ts'
export { mlflowScoring, openInference } from './definition/remote-model.ts'
export { avro, debezium, type Format } from './definition/format.ts'
export { cloudEvents, envelope, type Stream, stream } from './definition/stream.ts'
export { boolean, decimal, type EventInput, float, int, string, timestamp } from './schema/field.ts'
export { bootstrap, type BootstrapOptions } from './app/bootstrap.ts'
export type { ImportedStream } from './app/import-history.ts'
export { openReadOnlyLog } from './app/inspect-folder.ts'
export { kafka, type LogPlace } from './app/open-log.ts'
export {
  type GetOptions,
  type Mill,
  type MillOptions,
  millrace,
  type PredictionOf,
  type PredictOptions,
} from './app/mill.ts'
export type { ClusterOptions, Share } from './app/running-engine.ts'
export type { ModelName } from './app/models.ts'
export type { Applied, ApplyOptions } from './app/versions.ts'
export { startServer } from './app/server.ts'
export { type Manifest, train, type TrainOptions } from './app/train.ts'
export { isDefinition } from './definition/definition.ts'
export { compile } from './plan/compile.ts'
export { declareModel } from './plan/model-declaration.ts'
export { explainPlan } from './plan/explain.ts'
export type { Plan } from './plan/plan.ts'
export { type Difference, differenceLines } from './registry/difference.ts'
export { openTableReader, openTableWriter } from './store/offline/open-table.ts'
export { deadLetterTopic, lateTopic } from './plan/topics.ts'
export { readRejection, type RejectionRecord } from './stream/outputs.ts'
export { type DecodedRow, type DecodedVectors, decodeVectors } from './serve/decode-vectors.ts'
