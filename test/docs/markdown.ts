/** A fenced block of a document, with the comment on the line before it: `<!-- kind: source -->`. */
export type Block = {
  readonly language: string
  /** Null without a comment. */
  readonly marker: { readonly kind: string; readonly source: string } | null
  /** With the line break at its end. */
  readonly text: string
  /** Of the opening fence, counted from 1. */
  readonly line: number
}

const fence = /^(?:<!-- (\w+): (.+?) -->\n)?```(\w*)\n([\s\S]*?)^```$/gm

export function blocksOf(document: string): Block[] {
  return [...document.matchAll(fence)].map((match) => {
    const [, kind, source, language, text] = match
    const before = document.slice(0, match.index).split('\n').length
    return {
      language: language!,
      marker: kind === undefined || source === undefined ? null : { kind, source },
      text: text!,
      line: before + (kind === undefined ? 0 : 1),
    }
  })
}

/** The targets of links to other files, without their anchors. */
export function linkedFiles(document: string): string[] {
  const withoutCode = document.replaceAll(fence, '').replaceAll(/`[^`\n]*`/g, '')
  return [...withoutCode.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!.split('#')[0]!)
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
}
