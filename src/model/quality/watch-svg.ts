import type { ModelWatch } from './watch.ts'

/** A version of a model, with what it did. */
export type WatchedVersion = { readonly title: string; readonly watch: ModelWatch }

const width = 780
const panelHeight = 236
const psiRow = 18
const [left, plotTop, plotHeight, plotWidth] = [60, 46, 140, 290]
const colours = { score: '#2e86d9', positive: '#d6453d', good: '#2a9d6a', some: '#c98a00', bad: '#d6453d' }
const style = `text{fill:#333;font:12px system-ui,sans-serif}.title{font-size:15px;font-weight:600}.small{font-size:11px}.axis{stroke:#888}.grid{stroke:#888;stroke-opacity:.3;stroke-dasharray:4 4}@media(prefers-color-scheme:dark){text{fill:#ddd}}`

/** One picture: of each version its scores, their calibration, and how far its inputs have drifted. */
export function watchSvg(versions: readonly WatchedVersion[]): string {
  let y = 0
  const parts = versions.map(({ title, watch }) => {
    const height = panelHeight + (watch.inputs.length === 0 ? 0 : 40 + psiRow * watch.inputs.length)
    const body = [heading(title, watch), histogram(watch), calibration(watch), drift(watch)].join('\n')
    const part = `<g transform="translate(0,${y})">\n${body}\n</g>`
    y += height + 20
    return part
  })
  const size = `width="${width}" height="${y}" viewBox="0 0 ${width} ${y}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n<style>${style}</style>\n${parts.join('\n')}\n</svg>\n`
}

function heading(title: string, watch: ModelWatch): string {
  const { scores, labels, auc, aucError, averagePrecision, share } = watch
  const figures = [
    `${scores.count} scores`,
    `${labels.joined} with a label, ${labels.positives} positive`,
    ...(share < 1 ? [`of ${percent(share)} of the ids`] : []),
    ...(auc === null ? [] : [`AUC ${auc.toFixed(3)} ± ${(1.96 * aucError!).toFixed(3)}`]),
    ...(averagePrecision === null ? [] : [`average precision ${averagePrecision.toFixed(3)}`]),
  ]
  return `${text(16, 22, title, 'title')}${text(width - 16, 22, figures.join(' · '), 'small', 'end')}`
}

function histogram({ scores }: ModelWatch): string {
  const { bins } = scores
  const most = Math.max(1, ...bins.map(({ count }) => count))
  // Rare positives beside many others: a linear scale would show none of them.
  const heightOf = (count: number): number => (count === 0 ? 0 : (plotHeight * Math.log1p(count)) / Math.log1p(most))
  const [first, last] = [bins[0]?.low ?? 0, bins.at(-1)?.high ?? 1]
  const isProbability = first >= 0 && (bins.at(-1)?.low ?? 0) <= 1
  const [low, high] = isProbability ? [0, Math.max(1, last)] : [first, last]
  const step = bins.length === 0 ? 0 : (plotWidth * (last - first)) / bins.length / (high - low)
  const bars = bins.map(({ low: from, count, positives }) => {
    const x = left + (plotWidth * (from - low)) / (high - low)
    const bar = (height: number, colour: string): string =>
      height === 0
        ? ''
        : `<rect x="${round(x + 0.5)}" y="${round(plotTop + plotHeight - height)}" width="${round(Math.max(1, step - 1))}" height="${round(height)}" fill="${colour}"/>`
    return `${bar(heightOf(count), colours.score)}${bar(heightOf(positives), colours.positive)}`
  })
  const bottom = plotTop + plotHeight
  return [
    axes(left),
    ...bars,
    text(left - 6, plotTop + 10, String(most), 'small', 'end'),
    text(left, bottom + 16, short(low), 'small'),
    text(left + plotWidth, bottom + 16, short(isProbability ? 1 : high), 'small', 'end'),
    text(left + plotWidth / 2, bottom + 34, 'scores, those of positives in red (logarithmic)', 'small', 'middle'),
  ].join('\n')
}

function calibration({ calibration: found }: ModelWatch): string {
  const x0 = left + plotWidth + 80
  const place = (score: number, rate: number): readonly [number, number] => [
    round(x0 + score * plotWidth),
    round(plotTop + plotHeight * (1 - rate)),
  ]
  const [x1, y1] = place(1, 1)
  const [x2, y2] = place(0, 0)
  const caption = text(
    x0 + plotWidth / 2,
    plotTop + plotHeight + 34,
    'share of positives by score; dashed: as promised',
    'small',
    'middle',
  )
  const frame = [axes(x0), `<line class="grid" x1="${x2}" y1="${y2}" x2="${x1}" y2="${y1}"/>`, caption]
  if (found === null) {
    return [...frame, text(x0 + plotWidth / 2, plotTop + plotHeight / 2, 'no labels yet', 'small', 'middle')].join('\n')
  }
  const points = found.bins.map(({ meanScore, rate }) => place(meanScore, rate))
  const dots = found.bins.map(({ count }, index) => {
    const [x, y] = points[index]!
    return `<circle cx="${x}" cy="${y}" r="${round(Math.min(8, 2 + Math.log10(count + 1)))}" fill="${colours.score}"/>`
  })
  const path = points.map(([x, y]) => `${x},${y}`).join(' ')
  return [
    ...frame,
    `<polyline points="${path}" fill="none" stroke="${colours.score}" stroke-width="1.5"/>`,
    ...dots,
    text(x0 - 6, plotTop + 10, '1', 'small', 'end'),
    text(x0, plotTop + plotHeight + 16, '0', 'small'),
    text(x0 + plotWidth, plotTop + plotHeight + 16, '1', 'small', 'end'),
    text(x0 + plotWidth, plotTop + plotHeight - 8, `error ${found.error.toFixed(3)}`, 'small', 'end'),
  ].join('\n')
}

function drift({ inputs, vectors }: ModelWatch): string {
  if (inputs.length === 0) return ''
  const x0 = 190
  const scale = (width - x0 - 150) / Math.max(0.5, ...inputs.map(({ psi }) => psi ?? 0))
  const [top, bottom] = [panelHeight + 20, panelHeight + 24 + inputs.length * psiRow]
  const limits = [0.1, 0.25].map((limit) => {
    const x = round(x0 + limit * scale)
    return `<line class="grid" x1="${x}" y1="${top}" x2="${x}" y2="${bottom}"/>`
  })
  const rows = inputs.map(({ name, psi, nulls, warming }, index) => {
    const y = panelHeight + 24 + index * psiRow
    const label = text(x0 - 8, y + 11, name, 'small', 'end')
    const missing = [
      ...(nulls > 0 ? [`${percent(nulls)} null`] : []),
      ...(warming > 0 ? [`${percent(warming)} warming`] : []),
    ]
    const besides = text(width - 16, y + 11, missing.join(', '), 'small', 'end')
    if (psi === null) return `${label}${text(x0, y + 11, 'not known of the training set', 'small')}${besides}`
    const colour = psi < 0.1 ? colours.good : psi < 0.25 ? colours.some : colours.bad
    const bar = `<rect x="${x0}" y="${y}" width="${round(Math.max(1, psi * scale))}" height="${psiRow - 5}" fill="${colour}"/>`
    return `${label}${bar}${text(x0 + psi * scale + 6, y + 11, psi.toFixed(3), 'small')}${besides}`
  })
  const title = `drift of inputs against the training set: population stability index of ${vectors} vectors; lines at 0.1 and 0.25`
  return [text(16, panelHeight + 12, title, 'small'), ...limits, ...rows].join('\n')
}

function axes(x: number): string {
  const bottom = plotTop + plotHeight
  return `<line class="axis" x1="${x}" y1="${bottom}" x2="${x + plotWidth}" y2="${bottom}"/><line class="axis" x1="${x}" y1="${plotTop}" x2="${x}" y2="${bottom}"/>`
}

function text(x: number, y: number, content: string, kind = '', anchor = 'start'): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${kind}" text-anchor="${anchor}">${escape(content)}</text>`
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function percent(share: number): string {
  return `${short(100 * share)} %`
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
