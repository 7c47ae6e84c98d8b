/** Where the engine puts what it does not accept. No stream may read from them: it would feed on itself. */
export const deadLetterTopic = 'dead-letter-queue'
export const lateTopic = 'late-events'

/** Where the finished values of a view go that declares `emit`. */
export function featureEventsTopic(view: string): string {
  return `${featureEventsPrefix}${view}`
}

export const featureEventsPrefix = 'feature-events.'

/** Accepted events by entity: what folds read when several processes share the work. */
export function processedEventsTopic(entity: string): string {
  return `processed-events.${entity}`
}

/** The states of an entity, as their owners change them. */
export function featureStateTopic(entity: string): string {
  return `feature-state.${entity}`
}

/** How far the source partitions of a stream have been judged, and what has to be remembered of them. */
export function ingestStateTopic(stream: string): string {
  return `ingest-state.${stream}`
}

/** Where every version of the definitions lies that was applied. */
export const registryTopic = 'plan-registry'

/** Where it is noted what became of replayed dead letters and late events. For people: no verdict depends on it. */
export const replaysTopic = 'dead-letter-replays'

/** Questions that come through the log, and where their answers go: partition p of the one is answered on p of the other. */
export const featureRequestsTopic = 'feature-requests'
export const computedFeaturesTopic = 'computed-features'
export const inferenceRequestsTopic = 'inference-requests'
export const predictionsTopic = 'predictions'

/** Every vector that is handed to a model for a prediction in the log. */
export const modelInputTopic = 'model-input'

/** What the numbers mean that records of other topics name their writers' Avro schemas by. One partition. */
export const writerSchemasTopic = 'writer-schemas'

/** Where it lies which versions of models there are, and which of them is live. */
export const modelRegistryTopic = 'model-registry'

/** Their artefacts, in pieces that fit into records. */
export const modelArtefactsTopic = 'model-artefacts'

/** What became of the requests of webhooks, one record for each prediction that met the rule of one. */
export const actionDeliveriesTopic = 'action-deliveries'

/** Since when an action acts, and whether it is stopped. One partition. */
export const actionChangesTopic = 'action-changes'

/** Who was given what by which arm of an experiment. */
export const experimentDataTopic = 'experiment-data'
