/** For so long no slice is read while others work: a write needs several ticks, and must not meet a slice in each. */
const REST_MS = 2
/** If a tick of the event loop has taken so long, others were at work in it. A tick without work takes a fifth of that. */
const WORK_MS = 0.03

const tick = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** Resolves after a tick of the event loop, and after a rest if others were at work in that tick. */
async function rest(): Promise<void> {
  // The slice before is read in the present tick.
  await tick()
  const beginMs = performance.now()
  await tick()
  if (performance.now() - beginMs > WORK_MS) await new Promise((resolve) => void setTimeout(resolve, REST_MS))
}

/** So many slices of each read come before those of reads that take longer. */
const SHORT_SLICES = 4

/** A read that waits for its next slice. */
interface WaitingRead {
  /** The lower, the sooner. */
  readonly rank: number
  readonly signal: AbortSignal | undefined
  readonly goOn: () => void
}

/**
 * Lets long reads of one kind take turns: only one slice of all of them is read at a time. Short reads come first, and
 * long ones end in the order in which they began: if all went on slice by slice, all would end last.
 */
export class SliceTurns {
  readonly #reads = new WeakMap<object, { readonly number: number; slices: number }>()
  readonly #waiting: WaitingRead[] = []
  #count = 0
  #isResting = false

  /**
   * Resolves when the next slice of a read may be read. Other work has some ticks between two slices. A read whose signal
   * has aborted reads nothing more, so it comes before all others.
   */
  next(of: object, signal?: AbortSignal): Promise<void> {
    const read = this.#reads.get(of) ?? { number: (this.#count += 1), slices: 0 }
    this.#reads.set(of, read)
    read.slices += 1
    const rank = read.slices <= SHORT_SLICES ? 0 : read.number
    return new Promise((goOn) => {
      this.#waiting.push({ rank, signal, goOn })
      if (!this.#isResting) void this.#goOn()
    })
  }

  async #goOn(): Promise<void> {
    this.#isResting = true
    while (this.#waiting.length > 0) {
      await rest()
      const ranks = this.#waiting.map(({ rank, signal }) => (signal?.aborted ? -1 : rank))
      const [first] = this.#waiting.splice(ranks.indexOf(Math.min(...ranks)), 1)
      first?.goOn()
    }
    this.#isResting = false
  }
}
