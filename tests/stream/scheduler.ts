import { drainMicrotasks } from "bun:jsc"

const LATE_MS = 1000

/** Small numbers that look random, and are the same for the same seed. */
export function numbers(seed: number): (below: number) => number {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/**
 * An event loop of its own. Code that must run in a later tick or by a timer runs when this loop decides, in
 * an order that its seed determines. Nothing waits for real time, and the same seed always gives the same
 * order.
 */
export class Scheduler {
  /** A random number below this one. */
  readonly below: (below: number) => number
  /** Callbacks that run in the order in which they were added, like those of `setImmediate`. */
  #ticks: (() => void)[] = []
  /** Callbacks that run in any order. */
  #tasks: (() => void)[] = []
  /**
   * Timers of a second or more. They run when nothing else is left, because everything else takes less than
   * that.
   */
  readonly #late = new Map<object, () => void>()
  /** Callbacks that run at any time while there is something else to run. */
  readonly #intervals = new Map<object, () => void>()
  #nowMs = 0

  constructor(seed: number) {
    this.below = numbers(seed)
  }

  /** Leaves a callback for later. */
  later(task: () => void): void {
    this.#tasks.push(task)
  }

  /** Resolves some time later. */
  pause(): Promise<void> {
    return new Promise((resolve) => this.#tasks.push(resolve))
  }

  /** Whether it happens this time, with this probability in percent. */
  happens(percent: number): boolean {
    return this.below(100) < percent
  }

  /** Runs everything, with the timers of the process replaced by this loop's. */
  run(): void {
    const { setImmediate, setTimeout, clearTimeout, setInterval, clearInterval } = globalThis
    const now = performance.now
    Object.assign(globalThis, {
      setImmediate: (task: (...given: unknown[]) => void, ...given: unknown[]) =>
        void this.#ticks.push(() => task(...given)),
      setTimeout: (task: () => void, ms = 0) => {
        const key = {}
        if (ms >= LATE_MS) this.#late.set(key, task)
        else this.#tasks.push(task)
        return key
      },
      clearTimeout: (key: object) => this.#late.delete(key),
      setInterval: (task: () => void) => {
        const key = {}
        this.#intervals.set(key, task)
        return key
      },
      clearInterval: (key: object) => this.#intervals.delete(key),
    })
    performance.now = () => this.#nowMs
    try {
      this.#runAll()
    } finally {
      performance.now = now
      Object.assign(globalThis, { setImmediate, setTimeout, clearTimeout, setInterval, clearInterval })
    }
  }

  #runAll(): void {
    drainMicrotasks()
    for (let steps = 0; this.#ticks.length + this.#tasks.length + this.#late.size > 0; steps += 1) {
      if (steps > 10_000) throw new Error("the order does not come to an end")
      this.#nowMs += 1
      this.#next()()
      drainMicrotasks()
    }
  }

  #next(): () => void {
    const [interval] = this.#intervals.values()
    if (interval && this.happens(10)) return interval
    const tick = this.#tasks.length === 0 || this.happens(50) ? this.#ticks.shift() : undefined
    if (tick) return tick
    const [task] = this.#tasks.splice(this.below(this.#tasks.length || 1), 1)
    return task ?? this.#ticks.shift() ?? this.#nextLate()
  }

  #nextLate(): () => void {
    for (const [key, task] of this.#late) {
      this.#late.delete(key)
      return task
    }
    return () => undefined
  }
}
