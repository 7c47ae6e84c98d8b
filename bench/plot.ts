/** Pictures of results as SVG: data in, text out. Legible on light and on dark ground. */

export type Axis = {
  /** What it shows, with its unit. */
  readonly title: string
  readonly scale: 'linear' | 'log'
  /** Default: round numbers. */
  readonly ticks?: readonly (readonly [value: number, label: string])[]
}

/** Peers have colours of their own, so that nobody takes one for the other. */
export type Role = 'ours' | 'peer'

export type Line = {
  readonly name: string
  readonly role: Role
  readonly points: readonly (readonly [x: number, y: number])[]
}

export type LineChart = {
  readonly kind: 'lines'
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly lines: readonly Line[]
}

export type BarChart = {
  readonly kind: 'bars'
  readonly title: string
  readonly unit: string
  readonly bars: readonly { readonly name: string; readonly role: Role; readonly value: number }[]
}

export type Chart = LineChart | BarChart

const width = 760
const [left, right, top, bottom] = [76, 20, 44, 52]
const plotHeight = 210
const barHeight = 22
const barsLeft = 300

/** In the middle between black and white: each is at least 3 : 1 against both. */
const colours: Readonly<Record<Role, readonly string[]>> = {
  ours: ['#2e86d9', '#0f9d8a', '#8a67d6', '#4c9a2a', '#a07d00'],
  peer: ['#e0690c', '#d6453d', '#c2559b'],
}

const style = `text{fill:#333}.axis{stroke:#888}.grid{stroke:#888;stroke-opacity:.25}@media(prefers-color-scheme:dark){text{fill:#ddd}}`

/** All charts of a result, one below the other. */
export function chartsSvg(charts: readonly Chart[]): string {
  let y = 0
  const parts = charts.map((chart) => {
    const drawn = chart.kind === 'lines' ? drawLines(chart) : drawBars(chart)
    const part = `<g transform="translate(0,${y})">\n${drawn.body.join('\n')}\n</g>`
    y += drawn.height
    return part
  })
  const size = `width="${width}" height="${y}" viewBox="0 0 ${width} ${y}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="system-ui,sans-serif" font-size="11">\n<style>${style}</style>\n${parts.join('\n')}\n</svg>\n`
}

type Drawn = { readonly body: readonly string[]; readonly height: number }

function drawLines({ title, x, y, lines }: LineChart): Drawn {
  const xs = makeScale(x, valuesOf(lines, 0), [left, width - right])
  const ys = makeScale(y, valuesOf(lines, 1), [top + plotHeight, top])
  const paint = painter()
  const drawn = lines.map(({ role, points }, index) => {
    const colour = paint(role)
    // On a logarithmic axis there is no place for zero.
    const shown = points.filter(([px, py]) => xs.holds(px) && ys.holds(py))
    const places = shown.map(([px, py]) => `${place(xs.at(px))},${place(ys.at(py))}`)
    const dash = role === 'peer' ? ' stroke-dasharray="5 3"' : ''
    const dots = points.length > 40 ? [] : places.map((at) => dot(at, colour))
    const entry = `<text x="${legendX(lines, index)}" y="${top - 10}" style="fill:${colour}">${escape(lines[index]!.name)}</text>`
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="1.6"${dash} points="${places.join(' ')}"/>`,
      ...dots,
      entry,
    ].join('\n')
  })
  const floor = top + plotHeight
  const body = [
    text({ x: left, y: 16, text: title, bold: true }),
    ...ys.ticks.flatMap(([value, label]) => [
      `<path class="grid" d="M${left},${place(ys.at(value))}H${width - right}"/>`,
      text({ x: left - 6, y: ys.at(value) + 4, text: label, anchor: 'end' }),
    ]),
    ...xs.ticks.flatMap(([value, label]) => [
      `<path class="grid" d="M${place(xs.at(value))},${top}V${floor}"/>`,
      text({ x: xs.at(value), y: floor + 15, text: label, anchor: 'middle' }),
    ]),
    `<path class="axis" d="M${left},${top}V${floor}H${width - right}" fill="none"/>`,
    text({ x: (left + width - right) / 2, y: floor + 32, text: x.title, anchor: 'middle' }),
    `<text transform="translate(14,${top + plotHeight / 2}) rotate(-90)" text-anchor="middle">${escape(y.title)}</text>`,
    ...drawn,
  ]
  return { body, height: top + plotHeight + bottom }
}

/** After the names before it, at about six pixels a letter. */
function legendX(lines: readonly Line[], index: number): number {
  return lines.slice(0, index).reduce((x, { name }) => x + name.length * 6 + 22, left)
}

function drawBars({ title, unit, bars }: BarChart): Drawn {
  const most = Math.max(Number.MIN_VALUE, ...bars.map(({ value }) => value))
  const drawn = bars.flatMap(({ name, role, value }, index) => {
    const y = 28 + index * barHeight
    // Room for the figure remains to the right of the longest bar.
    const length = Math.max(1, (value / most) * (width - barsLeft - right - 70))
    return [
      text({ x: barsLeft - 8, y: y + 13, text: name, anchor: 'end' }),
      `<rect x="${barsLeft}" y="${y}" width="${place(length)}" height="${barHeight - 6}" fill="${colours[role][0]}"/>`,
      text({ x: barsLeft + length + 5, y: y + 13, text: shortNumber(value) }),
    ]
  })
  return {
    body: [text({ x: 8, y: 16, text: `${title}, ${unit}`, bold: true }), ...drawn],
    height: 28 + bars.length * barHeight + 16,
  }
}

/** Which share of the samples was no larger than each of them. */
export function cumulativeChart(title: string, xTitle: string, samples: readonly number[]): LineChart {
  const sorted = samples.toSorted((a, b) => a - b)
  const points = sorted.map((value, index) => [value, ((index + 1) / sorted.length) * 100] as const)
  return {
    kind: 'lines',
    title,
    x: { title: xTitle, scale: 'log' },
    y: { title: 'done, %', scale: 'linear' },
    lines: [{ name: `${sorted.length} samples`, role: 'ours', points }],
  }
}

type Scale = {
  readonly at: (value: number) => number
  readonly holds: (value: number) => boolean
  readonly ticks: readonly (readonly [value: number, label: string])[]
}

function makeScale(axis: Axis, values: readonly number[], [start, end]: readonly [number, number]): Scale {
  const isLog = axis.scale === 'log'
  const usable = isLog ? values.filter((value) => value > 0) : values
  const most = usable.length === 0 ? 1 : Math.max(...usable)
  // A linear axis begins at zero: a cut one makes small differences look large.
  const least = isLog ? Math.min(most, ...usable) : Math.min(0, ...usable)
  const [from, to] = isLog ? logRange(least, most) : [least, most <= least ? least + 1 : most * 1.05]
  const share = isLog
    ? (value: number) => Math.log(value / from) / Math.log(to / from)
    : (value: number) => (value - from) / (to - from)
  const ticks = (axis.ticks ?? (isLog ? logTicks(from, to) : linearTicks(from, to))).filter(
    ([value]) => value >= from && value <= to,
  )
  return {
    at: (value) => start + share(value) * (end - start),
    holds: (value) => !isLog || value > 0,
    ticks,
  }
}

function logRange(least: number, most: number): readonly [number, number] {
  return most / least < 4 ? [least / 2, most * 2] : [least / 1.15, most * 1.15]
}

function logTicks(from: number, to: number): (readonly [number, string])[] {
  const decades = Math.log10(to / from)
  const steps = decades > 3 ? [1] : decades > 1.3 ? [1, 3] : [1, 2, 3, 5]
  const ticks: (readonly [number, string])[] = []
  for (let exponent = Math.floor(Math.log10(from)); exponent <= Math.log10(to); exponent++) {
    for (const step of steps) {
      const value = step * 10 ** exponent
      if (value >= from && value <= to) ticks.push([value, shortNumber(value)])
    }
  }
  return ticks
}

function linearTicks(from: number, to: number): (readonly [number, string])[] {
  const raw = (to - from) / 5
  const decade = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((each) => each * decade).find((each) => each >= raw) ?? raw
  const ticks: (readonly [number, string])[] = []
  for (let nth = Math.ceil(from / step); nth * step <= to; nth++) ticks.push([nth * step, shortNumber(nth * step)])
  return ticks
}

/** Three digits, then k, M or G. */
export function shortNumber(value: number): string {
  const size = Math.abs(value)
  for (const [unit, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    // 999.9 k rounds to 1,000 k; it is better called 1 M.
    if (size >= unit * 0.9995) return `${Number((value / unit).toPrecision(3))} ${letter}`
  }
  return String(Number(value.toPrecision(3)))
}

function valuesOf(lines: readonly Line[], place: 0 | 1): number[] {
  return lines.flatMap(({ points }) => points.map((point) => point[place]))
}

/** Gives each line of a role the next of its colours. */
function painter(): (role: Role) => string {
  const used: Record<Role, number> = { ours: 0, peer: 0 }
  return (role) => {
    const own = colours[role]
    return own[used[role]++ % own.length]!
  }
}

type Text = {
  readonly x: number
  readonly y: number
  readonly text: string
  readonly anchor?: 'middle' | 'end'
  readonly bold?: boolean
}

function text({ x, y, text: content, anchor, bold }: Text): string {
  const anchored = anchor === undefined ? '' : ` text-anchor="${anchor}"`
  return `<text x="${place(x)}" y="${place(y)}"${anchored}${bold === true ? ' font-weight="600"' : ''}>${escape(content)}</text>`
}

function dot(at: string, colour: string): string {
  const [x, y] = at.split(',')
  return `<circle cx="${x}" cy="${y}" r="2.6" fill="${colour}"/>`
}

function place(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
