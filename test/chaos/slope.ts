/** The slope of the straight line that fits best: y per x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const n = points.length
  const [meanX, meanY] = [points.reduce((sum, [x]) => sum + x, 0) / n, points.reduce((sum, [, y]) => sum + y, 0) / n]
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  const below = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return below === 0 ? 0 : above / below
}
