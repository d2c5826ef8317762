/** The mean of some values; NaN of none. */
export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** The value in the middle, or the mean of the two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low = 0, high = 0] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.ceil((sorted.length - 1) / 2)],
  ]
  return (low + high) / 2
}
