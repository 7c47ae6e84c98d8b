import type { Command } from 'commander'
import type { ModelAction, ModelChangeOptions } from '../app/model-changes.ts'
import type { ModelChangeAnswer } from '../app/model-versions.ts'
import type { ModelDescription } from '../registry/models/pushed-model.ts'
import { request } from './http.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from './kafka-place.ts'
import { folderOption, jsonOption, urlOption, wholeNumber } from './options.ts'
import { print, printJson } from './output.ts'
import { accepted, applyAt } from './registry-place.ts'

// What the commands that change models have in common: in the folder, over HTTP, or in a log elsewhere.

export type ChangeOptions = {
  folder: string
  url: string
  expected?: string
  note?: string
  json?: boolean
} & KafkaCliOptions

export function addChangeOptions(command: Command): Command {
  command
    .option('--expected <number>', 'refuse unless this is the last change of the model (default: whichever is)')
    .option('--note <text>', 'why, for whoever reads the changes later')
    .addOption(folderOption())
    .addOption(urlOption())
    .addOption(jsonOption())
  return addKafkaOptions(command, { creates: false })
}

/** Shown with each of them. */
export const changePlaceHelp = `
With --url a running millrace does it; otherwise it is done in the folder, or,
when a process runs there, by the one at the default address. With --kafka all
processes that have the log follow.`

type Pushed = { readonly model: string; readonly description: ModelDescription; readonly artefact: Uint8Array }

export async function sendPush(pushed: Pushed, options: ChangeOptions, command: Command): Promise<void> {
  const { model, description, artefact } = pushed
  const shared = sharedOf(options)
  await applyAt(command, {
    remotely: async (url) => {
      const head = Buffer.from(`${JSON.stringify({ description, ...shared })}\n`)
      const content = Buffer.concat([head, artefact])
      const body = { type: 'application/vnd.millrace.model.v1', content }
      report(accepted(await request(url, `/v1/models/${encodeURIComponent(model)}/versions`, body)), options)
    },
    inFolder: async (folder) => {
      const { pushModelIn } = await import('../app/models-in-folder.ts')
      report(await pushModelIn({ folder, log: await kafkaPlace(options) }, pushed, shared), options)
    },
  })
}

type Change = { readonly model: string; readonly action: ModelAction }

export async function sendChange({ model, action }: Change, options: ChangeOptions, command: Command): Promise<void> {
  const shared = sharedOf(options)
  await applyAt(command, {
    remotely: async (url) => {
      const body = { type: 'application/json', content: JSON.stringify({ ...action, ...shared }) }
      report(accepted(await request(url, `/v1/models/${encodeURIComponent(model)}`, body)), options)
    },
    inFolder: async (folder) => {
      const { changeModelIn } = await import('../app/models-in-folder.ts')
      report(await changeModelIn({ folder, log: await kafkaPlace(options) }, { model, action }, shared), options)
    },
  })
}

function sharedOf({ expected, note }: ChangeOptions): ModelChangeOptions {
  const number = expected === undefined ? undefined : wholeNumber('--expected', expected, { min: 0, max: 2 ** 31 })
  return { ...(number === undefined ? {} : { expected: number }), ...(note === undefined ? {} : { note }) }
}

/** @param answer null: it was refused, and that is printed. */
function report(answer: ModelChangeAnswer | null, { json }: ChangeOptions): void {
  if (answer === null) return
  if (json === true) {
    printJson(answer)
    return
  }
  const { model, what, version, difference } = answer
  const { sha256, bytes } = version.artefact
  const isPushed = version.stage === 'candidate' && what.endsWith('pushed')
  print(`${model}: ${what}${isPushed ? `, ${bytes.toLocaleString('en')} bytes, ${sha256.slice(0, 12)}` : ''}`)
  for (const line of difference) print(`  ${line}`)
}
