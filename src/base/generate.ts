import { assert } from './assert.ts'

const foreign = /["'`\\]/

/**
 * A function made of source text at run time; null where the process must not make any
 * (`node --disallow-code-generation-from-strings`). The one place that does so.
 *
 * What is made here is a faster form of something that exists as ordinary code too, which takes over where there is
 * null, and which a test holds it against. The source consists of fixed identifiers and numbers. Names, texts and
 * everything else that somebody else wrote reach it as arguments: a source with a quote in it is a bug.
 */
export function generate<Made>(parameters: readonly string[], body: string): Made | null {
  assert(!foreign.test(body) && parameters.every((name) => /^\w+$/.test(name)), 'generated code holds no text')
  try {
    // oxlint-disable-next-line no-implied-eval -- see above
    return new Function(...parameters, `"use strict"\n${body}`) as Made
  } catch (error) {
    if (error instanceof EvalError) return null
    throw error
  }
}
