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

/** Lets long reads of one kind take turns, slice by slice: only one slice of all of them is read at a time. */
export class SliceTurns {
  #next: Promise<void> = Promise.resolve()

  /** Resolves when the next slice may be read. Other work has some ticks between two slices. */
  next(): Promise<void> {
    this.#next = this.#next.then(rest)
    return this.#next
  }
}
