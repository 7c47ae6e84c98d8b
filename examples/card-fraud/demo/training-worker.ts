/** A thread that builds training rows. It shares no memory with the one that serves: only the files of the log. */
import { parentPort } from 'node:worker_threads'
import { type RebuildRequest, rebuildRows } from './training-rows.ts'

parentPort!.on('message', (request: RebuildRequest) => {
  void rebuildRows(request).then((rebuilt) => parentPort!.postMessage(rebuilt))
})
