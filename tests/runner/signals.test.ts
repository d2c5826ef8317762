import { expect, test } from "bun:test"

import { ENDING_SIGNALS } from "../../src/ending-signals.ts"
import { takeSignals } from "../../src/runner/signals.ts"

test("signals are handled until that is ended, and then none of them is", () => {
  const handled = (): number[] =>
    [...ENDING_SIGNALS, "SIGTSTP", "SIGCONT"].map((signal) => process.listenerCount(signal))
  const before = handled()
  const taken = takeSignals({ onEnd: () => undefined, onSuspend: () => undefined })
  expect(handled()).not.toEqual(before)
  taken[Symbol.dispose]()
  expect(handled()).toEqual(before)
})
