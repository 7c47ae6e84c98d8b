import { type FaultCode, MillraceError } from '../../base/faults.ts'

/** The body of every answer that is not a success. */
export type FaultBody = {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint: string
    readonly retry: 'never' | 'backoff'
    readonly requestId: string
  }
}

/** Codes that a request can be to blame for, and those that say more than their kind. */
const statusByCode: Partial<Record<FaultCode, number>> = {
  REQUEST_MALFORMED: 400,
  KEY_MALFORMED: 400,
  STORE_KEY_SIZE: 400,
  AS_OF_TOO_OLD: 400,
  DEFINITIONS_MALFORMED: 400,
  NAME_UNDECLARED: 404,
  REGISTRY_NUMBER_UNKNOWN: 404,
  REGISTRY_CONFLICT: 409,
  MODEL_MISFIT: 409,
  MODEL_CONFLICT: 409,
  MODEL_CHANGE_REFUSED: 409,
  MODEL_VERSION_UNKNOWN: 404,
  MODEL_REFUSED: 422,
  MODEL_GOLDEN_FAILED: 422,
  MODELS_TOO_LARGE: 422,
  ROUTE_UNKNOWN: 404,
  REQUEST_TOO_LARGE: 413,
  LOG_RECORD_TOO_LARGE: 413,
  REQUEST_TYPE_UNSUPPORTED: 415,
  EVENT_REFUSED: 422,
  DEFINITION: 422,
  REGISTRY_INCOMPATIBLE: 422,
  LOG_TOPIC_NAME_REFUSED: 422,
  PREDICTION_LATE: 504,
  // The process is going down, or has stopped what the request needs: another one may answer.
  LOG_CLOSED: 503,
  STORE_CLOSED: 503,
  ENGINE_STOPPED: 503,
}

export function statusOf(fault: MillraceError): number {
  return statusByCode[fault.code] ?? (fault.kind === 'external' ? 503 : 500)
}

export function faultBody({ code, message, hint, retry }: MillraceError, requestId: string): FaultBody {
  return { error: { code, message, hint, retry, requestId } }
}

/**
 * What is said to the client of anything that was thrown. Faults of the catalogue speak for themselves; of others
 * nothing is told, as nobody has looked at their text: the log of the server has it.
 */
export function faultOf(error: unknown, { requestId, bodyBytesMax }: FaultContext): MillraceError {
  if (error instanceof MillraceError) return error
  switch (frameworkCode(error)) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new MillraceError('REQUEST_TOO_LARGE', { size: 'too many', unit: 'bytes', limit: bodyBytesMax })
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return malformed('its size is not what content-length says', 'Send as many bytes as the header announces.')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new MillraceError('REQUEST_TYPE_UNSUPPORTED', { came: 'a malformed content-type', allowed: bodyTypes })
    case 'FST_ERR_BAD_URL':
      return malformed('its path is not percent-encoded UTF-8', 'Encode names in the path with encodeURIComponent.')
    default:
      return new MillraceError('INTERNAL', { requestId }, { cause: error })
  }
}

const bodyTypes = 'application/json, or application/x-ndjson for events'

type FaultContext = { readonly requestId: string; readonly bodyBytesMax: number }

function frameworkCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null
}

function malformed(detail: string, allowed: string): MillraceError {
  return new MillraceError('REQUEST_MALFORMED', { detail, allowed })
}
