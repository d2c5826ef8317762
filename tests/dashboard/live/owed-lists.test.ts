import { expect, jest, test } from "bun:test"

import { OwedLists } from "../../../src/dashboard/live/owed-lists.ts"
import { settled } from "./far-server.ts"

test("a list that fails after everything was read again is soon read again, however often another one had failed", async () => {
  jest.useFakeTimers()
  try {
    const read: string[] = []
    const owed = new OwedLists(async (list) => void read.push(list))
    owed.add("waiting")
    for (let second = 0; second < 20; second += 1) {
      jest.advanceTimersByTime(1000)
      await settled()
    }
    expect(read.length).toBeGreaterThan(3)
    owed.clear()
    await settled()
    owed.add("finished")
    jest.advanceTimersByTime(600)
    await settled()
    expect(read.at(-1)).toBe("finished")
    owed.clear()
    await settled()
  } finally {
    jest.useRealTimers()
  }
})
