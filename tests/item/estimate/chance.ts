/** Numbers between 0 and 1 that look like chance, and are the same each time. */
export function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Values by chance. */
export function chance(seed: number) {
  const throwOne = dice(seed)
  return {
    /** One of two, the first with this likelihood. */
    either: <T>(likelihood: number, one: T, other: T): T => (throwOne() < likelihood ? one : other),
    /** Any value of a range. */
    between: (low: number, high: number): number => low + (high - low) * throwOne(),
    /** A value near this one; the spread is that of its logarithm. */
    about: (value: number, spread: number): number =>
      value * Math.exp(spread * (throwOne() + throwOne() + throwOne() + throwOne() - 2) * 1.73),
  }
}
