/** Numbers between 0 and 1 that look random, and are the same each time. */
export function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Random values. */
export function chance(seed: number) {
  const throwOne = dice(seed)
  return {
    /** One of two values. The first one has this probability. */
    either: <T>(likelihood: number, one: T, other: T): T => (throwOne() < likelihood ? one : other),
    /** Any value of a range. */
    between: (low: number, high: number): number => low + (high - low) * throwOne(),
    /** A value near this one. The spread is the spread of its logarithm. */
    about: (value: number, spread: number): number =>
      value * Math.exp(spread * (throwOne() + throwOne() + throwOne() + throwOne() - 2) * 1.73),
  }
}
