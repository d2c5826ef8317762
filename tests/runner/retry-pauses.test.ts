import { expect, spyOn, test } from "bun:test"

import { RetryPauses } from "../../src/runner/retry-pauses.ts"

test.each([
  [undefined, 1000],
  [15_000, 1000],
  [200, 200],
])(
  "the pauses of a pauses of %p ms double up to %d ms, and begin again after a success",
  async (given, mostMs) => {
    const pauses = new RetryPauses(given)
    using timers = spyOn(globalThis, "setTimeout")
    const waits = async (count: number): Promise<number[]> => {
      timers.mockClear()
      for (let wait = 0; wait < count; wait += 1) {
        const leave = new AbortController()
        const over = pauses.wait(leave.signal)
        leave.abort()
        await over
      }
      return timers.mock.calls.map(([, ms]) => ms ?? 0)
    }
    const within = (ms: number): [number, number] => [ms * 0.75, ms * 1.25 + 1]
    const [first = 0, second = 0, ...more] = await waits(8)
    expect(first).toBeWithin(...within(100))
    expect(second).toBeWithin(...within(200))
    expect(more.at(-1)).toBeWithin(...within(mostMs))
    pauses.reset()
    expect((await waits(1))[0]).toBeWithin(...within(100))
  },
)
