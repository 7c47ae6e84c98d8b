/** What is to be known of a fault before it occurs. */
export type Fault = {
  /** Who can mend it: the author of a definition or request, an outside system, or us. */
  readonly kind: 'user' | 'external' | 'internal'
  readonly retry: 'never' | 'backoff'
  /** One fact. Present tense when permanent, past tense when a retry may succeed. */
  readonly message: string
  /** What to do next, in complete sentences. */
  readonly hint: string
}
