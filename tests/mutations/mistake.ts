/** A small mistake, as somebody could make it. */
export interface Mistake {
  /** What goes wrong, in a sentence. */
  readonly name: string
  /** The file that gets the mistake. */
  readonly file: string
  /** The code that is replaced; it occurs exactly once. */
  readonly from: string
  /** The code that replaces it. */
  readonly to: string
  /** The tests that must notice it. */
  readonly tests: readonly string[]
}

/** The mistakes of one file, each with its name, the code that is replaced, and the code that replaces it. */
export const of = (
  file: string,
  tests: readonly string[],
  mistakes: readonly (readonly [name: string, from: string, to: string])[],
): Mistake[] => mistakes.map(([name, from, to]) => ({ name, file, from, to, tests }))
