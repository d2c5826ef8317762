import { afterEach, expect, jest, spyOn, test } from "bun:test"

import type { OutputOptions, Printed } from "../../../src/client/client.ts"
import { OutputReading } from "../../../src/dashboard/live/output-reading.ts"
import { server } from "../../../src/dashboard/live/server.ts"

afterEach(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
  Reflect.deleteProperty(globalThis, "document")
})

const piece = (text: string, begunMs: number): Extract<Printed, { type: "piece" }> => ({
  ...{ type: "piece", attempt: 1, from: 0, to: text.length, missing: 0 },
  ...{ text, begunMs },
})

/** Lets the callbacks of settled promises run. */
const turn = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve))

test.each([
  ["ends", true],
  ["fails", false],
])(
  "a tab that was hidden over a retry, so that its reading %s, shows the new attempt's output in place of the old one's",
  async (_how, endsWell) => {
    jest.useFakeTimers()
    const answers = [piece("of the first\n", 100), piece("of the second, which is longer\n", 200)]
    const asked: OutputOptions["from"][] = []
    spyOn(server, "output").mockImplementation(async function* (_id, { from, signal } = {}) {
      asked.push(from)
      const answer = answers.shift()
      if (answer) yield answer
      await new Promise((resolve, reject) => signal?.addEventListener("abort", endsWell ? resolve : reject))
    })
    const tab = { hidden: false }
    Object.defineProperty(globalThis, "document", { value: tab, configurable: true })
    let [shown, isOver] = ["", false]
    const reading = new OutputReading(7, 1, true, {
      text: (text) => (shown += text),
      begunAgain: () => (shown = ""),
      ended: () => (isOver = true),
      isWanted: () => true,
    })
    await turn()
    expect(shown).toBe("of the first\n")
    for (const isHidden of [true, false]) {
      tab.hidden = isHidden
      jest.advanceTimersByTime(500)
      await turn()
    }
    expect(asked).toEqual([undefined, { attempt: 1, to: 13, begunMs: 100 }])
    expect([shown, isOver]).toEqual(["of the second, which is longer\n", false])
    reading.close()
  },
)

test("a piece before which something is not kept says how much", async () => {
  jest.useFakeTimers()
  spyOn(server, "output").mockImplementation(async function* () {
    for (const missing of [0, 1, 2048]) yield { ...piece("a line\n", 100), missing }
  })
  let shown = ""
  const over = Promise.withResolvers<void>()
  const reading = new OutputReading(7, 1, false, {
    text: (text) => (shown += text),
    begunAgain: () => undefined,
    ended: over.resolve,
    isWanted: () => true,
  })
  await over.promise
  expect(shown).toBe("a line\n[1 byte is not kept]\na line\n[2,048 bytes are not kept]\na line\n")
  reading.close()
})
