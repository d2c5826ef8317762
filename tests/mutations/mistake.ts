/** A small mistake, as somebody could make it. */
export interface Mistake {
  /** What goes wrong, in a sentence. */
  readonly name: string
  /** The file it is made in. */
  readonly file: string
  /** What stands there once. */
  readonly from: string
  /** What the mistake makes of it. */
  readonly to: string
  /** The tests that should notice. */
  readonly tests: readonly string[]
}

/** The mistakes of one file, each with its name, what stands there, and what it becomes. */
export const of = (
  file: string,
  tests: readonly string[],
  mistakes: readonly (readonly [name: string, from: string, to: string])[],
): Mistake[] => mistakes.map(([name, from, to]) => ({ name, file, from, to, tests }))
