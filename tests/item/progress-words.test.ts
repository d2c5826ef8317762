import { expect, test } from "bun:test"

import { bandWords, leftIn, leftWords, shownOf, startsWords } from "../../src/item/progress-words.ts"

test("the time left is exact, vague or over, as the band has it", () => {
  const told = (eta_seconds: number, eta_low_seconds?: number, eta_high_seconds?: number) => ({
    eta_seconds,
    ...(eta_low_seconds !== undefined && { eta_low_seconds }),
    ...(eta_high_seconds !== undefined && { eta_high_seconds }),
  })
  const words = (one: ReturnType<typeof told>, age = 0): readonly string[] => {
    const left = leftIn(one, age)
    return left ? [leftWords(left), bandWords(left)] : []
  }
  expect(words(told(250))).toEqual(["4:10 left", ""])
  expect(words(told(250, 210, 300))).toEqual(["4:10 left", "3:30 to 5:00"])
  expect(words(told(250, 210, 300), 200)).toEqual(["10 to 100 s left", ""])
  expect(words(told(250, 185, 340))).toEqual(["3 to 6 min left", ""])
  expect(words(told(12, 6, 18))).toEqual(["5 to 20 s left", ""])
  expect(words(told(12, 6, 18), 8)).toEqual(["under 10 s left", ""])
  expect(words(told(40, 4, 100))).toEqual(["under 100 s left", ""])
  expect(words(told(100, 20, 300))).toEqual(["under 5 min left", ""])
  expect(words(told(12_000, 9000, 16_000))).toEqual(["2 to 5 h left", ""])
  expect(words(told(250, 210, 300), 301)).toEqual(["longer than usual", ""])
  expect(leftIn({ eta_seconds: null }, 0)).toBeNull()
  expect(leftIn({}, 0)).toBeNull()
  // Half a band is none.
  for (const half of [{ eta_low_seconds: 5 }, { eta_high_seconds: 12 }])
    expect(leftIn({ eta_seconds: 9, ...half }, 0)).toEqual({ seconds: 9, low: null, high: null })
})

test("the shown progress is that in time where it is known, in whole percent", () => {
  expect(shownOf({ progress: 75 })).toBe(75)
  expect(shownOf({ progress: 75, time_progress: null })).toBe(75)
  expect(shownOf({ progress: 75, time_progress: 41.9 })).toBe(41)
})

test("when an item starts is said once, with the band only if that is longer than a minute", () => {
  const when = (ms: number): string => new Date(ms).toISOString().slice(11, 16)
  const words = (lowS: number, aboutS: number, highS: number): string =>
    startsWords({ aboutMs: aboutS * 1000, lowMs: lowS * 1000, highMs: highS * 1000 }, when)
  expect(words(0, 120, 300)).toBe("starts about 00:02 (00:00 to 00:05)")
  // The minute on the clock changes within this band, or does not.
  expect(words(50, 80, 110)).toBe("starts about 00:01")
  expect(words(60, 80, 110)).toBe("starts about 00:01")
  expect(words(30, 60, 91)).toBe("starts about 00:01 (00:00 to 00:01)")
})
