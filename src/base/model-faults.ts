import type { Fault } from './fault.ts'

/** Of versions of models in the registry, and of actions on predictions. Part of the catalogue in `faults.ts`. */
export const modelFaults = {
  MODEL_NOT_LIVE: {
    kind: 'external',
    retry: 'backoff',
    message: 'no version of model {model} was live here{detail}',
    hint: '`millrace model show {model}` shows its versions; `millrace model promote {model} VERSION` makes one live.',
  },
  MODEL_ARTEFACT_CORRUPT: {
    kind: 'external',
    retry: 'never',
    message: 'the artefact {hash} in the log is damaged: {detail}',
    hint: 'What is live stays live. Push the artefact again as a new version, or restore the log from a backup.',
  },
  MODEL_GOLDEN_FAILED: {
    kind: 'user',
    retry: 'never',
    message: 'version {version} of model {model} does not give what its golden samples say: {detail}',
    hint: 'It does not go live. Mend the samples, or the model: the samples have to be what the model gave where it was trained.',
  },
  MODEL_VERSION_UNKNOWN: {
    kind: 'user',
    retry: 'never',
    message: 'model {model} has no version {version}',
    hint: 'It has {versions}. `millrace model show {model}` shows them.',
  },
  MODEL_CONFLICT: {
    kind: 'user',
    retry: 'never',
    message: 'model {model} was changed since its change {expected}\n{list}',
    hint: 'Nothing was done. The lines say what changed meanwhile; if it is still right, do it again: the last change is {number}.',
  },
  MODEL_CHANGE_REFUSED: {
    kind: 'user',
    retry: 'never',
    message: 'model {model} cannot be changed ({what}): {detail}',
    hint: '`millrace model show {model}` shows its versions and their stages.',
  },
  MLFLOW_UNREACHABLE: {
    kind: 'external',
    retry: 'backoff',
    message: 'MLflow at {url} does not answer: {detail}',
    hint: 'Check the address, and that the tracking server runs.',
  },
  MLFLOW_REFUSED: {
    kind: 'user',
    retry: 'never',
    message: 'nothing can be imported from MLflow at {url}: {detail}',
    hint: 'Needed are a registered model saved with mlflow.onnx, artefacts that the tracking server hands out (--artifacts-destination), and its credentials in the environment. A file at hand goes by `millrace model push`.',
  },
  MODEL_PUSH_BUSY: {
    kind: 'external',
    retry: 'backoff',
    message: 'another model is being pushed',
    hint: 'An artefact is held in memory until it is checked, so there is one push at a time. Send it again a little later.',
  },
  MODELS_TOO_LARGE: {
    kind: 'user',
    retry: 'never',
    message: 'version {version} of model {model} has {bytes} bytes, and what is loaded has {loaded} of {limit}',
    hint: 'It does not go live. Retire shadows that are not needed, or give the process more (in the library: modelBytesMax).',
  },
  ACTION_SECRET_MISSING: {
    kind: 'user',
    retry: 'never',
    message: 'action {action} signs with the environment variable {name}, which is not there',
    hint: 'It does nothing, and loses nothing: predictions wait in the log. Set {name} and start again.',
  },
} as const satisfies Record<string, Fault>
