import { spyOn } from "bun:test"

/** How many timers that were set while `run` ran have neither rung nor been stopped at its end. */
export async function timersLeft(run: () => unknown): Promise<number> {
  const left = new Set<unknown>()
  const [set, clear] = [globalThis.setTimeout, globalThis.clearTimeout]
  const noted = (ring: () => void, ms?: number): ReturnType<typeof setTimeout> => {
    const timer = set(() => {
      left.delete(timer)
      ring()
    }, ms)
    left.add(timer)
    return timer
  }
  const stopped = (timer?: Timer): void => {
    left.delete(timer)
    clear(timer)
  }
  // What is tested gives them no more arguments than these.
  using _set = spyOn(globalThis, "setTimeout").mockImplementation(noted as typeof setTimeout)
  using _clear = spyOn(globalThis, "clearTimeout").mockImplementation(stopped as typeof clearTimeout)
  await run()
  const { size } = left
  for (const timer of left) clear(timer as Timer)
  return size
}
