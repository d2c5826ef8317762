import { spyOn } from "bun:test"

/** How many timers that were set while `run` ran have neither ended nor been stopped at its end. */
export async function timersLeft(run: () => unknown): Promise<number> {
  const left = new Set<unknown>()
  const { setTimeout: once, clearTimeout: end, setInterval: often, clearInterval: endOften } = globalThis
  const set = (ring: (...all: unknown[]) => void, ms?: number, ...all: unknown[]): Timer => {
    const timer = once(() => {
      left.delete(timer)
      ring(...all)
    }, ms)
    left.add(timer)
    return timer
  }
  const repeat = (ring: () => void, ms?: number): Timer => {
    const timer = often(ring, ms)
    left.add(timer)
    return timer
  }
  const stop =
    (stopped: (timer?: Timer) => void) =>
    (timer?: Timer): void => {
      left.delete(timer)
      stopped(timer)
    }
  // What is tested calls the four with these arguments alone.
  using _set = spyOn(globalThis, "setTimeout").mockImplementation(set as typeof setTimeout)
  using _clear = spyOn(globalThis, "clearTimeout").mockImplementation(stop(end) as typeof clearTimeout)
  using _repeat = spyOn(globalThis, "setInterval").mockImplementation(repeat as typeof setInterval)
  using _end = spyOn(globalThis, "clearInterval").mockImplementation(stop(endOften) as typeof clearInterval)
  await run()
  return left.size
}
