/** Lets one loop sleep until it has something to do. */
export class Wake {
  #wake: (() => void) | undefined

  /** Wakes the loop, if it sleeps. */
  wake(): void {
    this.#wake?.()
  }

  /** Resolves when `wake` is called, or when the signal aborts. */
  async woken(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => resolve()
    this.#wake = wake
    signal.addEventListener("abort", wake)
    await promise
    signal.removeEventListener("abort", wake)
    this.#wake = undefined
  }
}
