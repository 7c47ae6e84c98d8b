/** For `millrace dev`, which takes every definition that a module exports. */
import { views } from '../integration/kill-stream.ts'

export const [spending, risk] = views
