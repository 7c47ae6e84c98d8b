export type Line = {
  readonly name: string
  readonly color: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

/** A small picture of lines over time, in one panel each. */
export function plotSvg(
  panels: readonly { readonly title: string; readonly lines: readonly Line[] }[],
  xTitle: string,
): string {
  const [width, height, left, top] = [760, 150, 60, 26]
  const all = panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(([x]) => x)))
  const xMax = Math.max(1e-9, ...all)
  const body = panels.map(({ title, lines }, nth) => {
    const yMax = Math.max(1e-9, ...lines.flatMap(({ points }) => points.map(([, y]) => y))) * 1.1
    const y0 = nth * (height + 50)
    const place = ([x, y]: readonly [number, number]): string =>
      `${(left + (x / xMax) * (width - left - 20)).toFixed(1)},${(y0 + top + height - (y / yMax) * height).toFixed(1)}`
    const drawn = lines.map(
      ({ color, points }) =>
        `<polyline fill="none" stroke="${color}" stroke-width="1.2" points="${points.map(place).join(' ')}"/>`,
    )
    const names = lines.map(
      ({ name, color }, index) =>
        `<text x="${width - 20 - index * 110}" y="${y0 + 16}" text-anchor="end" fill="${color}">${name}</text>`,
    )
    const axis = `M${left},${y0 + top}V${y0 + top + height}H${width - 20}`
    return [
      `<text x="${left}" y="${y0 + 16}" fill="#777">${title}</text>`,
      ...names,
      `<path d="${axis}" fill="none" stroke="#999"/>`,
      `<text x="${left - 6}" y="${y0 + top + 8}" text-anchor="end" fill="#777">${format(yMax)}</text>`,
      `<text x="${left - 6}" y="${y0 + top + height}" text-anchor="end" fill="#777">0</text>`,
      `<text x="${width - 20}" y="${y0 + top + height + 16}" text-anchor="end" fill="#777">${format(xMax)} ${xTitle}</text>`,
      ...drawn,
    ].join('\n')
  })
  const size = `width="${width}" height="${panels.length * (height + 50)}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="11">\n${body.join('\n')}\n</svg>\n`
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2)
}

/** The slope of the straight line that fits best: y per x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const n = points.length
  const [meanX, meanY] = [points.reduce((sum, [x]) => sum + x, 0) / n, points.reduce((sum, [, y]) => sum + y, 0) / n]
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  const below = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return below === 0 ? 0 : above / below
}

/** How often which time was met: bars over a logarithmic axis. */
export function distributionSvg(title: string, sorted: readonly number[]): string {
  const [width, height, left, top] = [760, 150, 60, 26]
  const bars = 40
  const [least, most] = [Math.max(1, sorted[0] ?? 1), Math.max(2, sorted.at(-1) ?? 2)]
  const barOf = (value: number): number =>
    Math.min(bars - 1, Math.floor((Math.log(value / least) / Math.log(most / least || 1)) * bars))
  const counts = new Array<number>(bars).fill(0)
  for (const value of sorted) counts[Math.max(0, barOf(Math.max(value, least)))]! += 1
  const highest = Math.max(1, ...counts)
  const step = (width - left - 20) / bars
  const drawn = counts.map((count, nth) => {
    const tall = (count / highest) * height
    const place = `x="${(left + nth * step).toFixed(1)}" y="${(top + height - tall).toFixed(1)}"`
    return `<rect ${place} width="${(step - 1).toFixed(1)}" height="${tall.toFixed(1)}" fill="#1f77b4"/>`
  })
  const label = (x: number, text: string): string =>
    `<text x="${x}" y="${top + height + 16}" text-anchor="middle" fill="#777">${text}</text>`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height + 50}" font-family="sans-serif" font-size="11">`,
    `<text x="${left}" y="16" fill="#777">${title}</text>`,
    ...drawn,
    label(left, String(Math.round(least))),
    label(left + (width - left - 20) / 2, String(Math.round(Math.sqrt(least * most)))),
    label(width - 30, String(Math.round(most))),
    '</svg>\n',
  ].join('\n')
}
