import { expect, jest, spyOn, test } from "bun:test"

import { askStarts, PeriodicQuestion } from "../../../src/dashboard/live/periodic-questions.ts"
import { server } from "../../../src/dashboard/live/server.ts"
import { NO_FORECAST, type PageForecast } from "../../../src/dashboard/model/start-forecast.ts"

/** A document that is hidden or not. */
const tab = (hidden: boolean): EventTarget => Object.assign(new EventTarget(), { hidden })

test("a page that is opened in the background asks as soon as it is seen", async () => {
  const hidden = tab(true)
  Object.assign(globalThis, { document: hidden })
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked = 0
  const none = (): void => undefined
  const ask = (): Promise<void> => {
    asked += 1
    resolve()
    return Promise.resolve()
  }
  new PeriodicQuestion(ask, none, none, 60_000)
  await Bun.sleep(20)
  expect(asked).toBe(0)
  Object.assign(hidden, { hidden: false })
  hidden.dispatchEvent(new Event("visibilitychange"))
  await promise
  expect(asked).toBe(1)
})

test("a value that changes all the time is still requested once a second", async () => {
  Object.assign(globalThis, { document: tab(false) })
  const askedMs: number[] = []
  const asking = new PeriodicQuestion(
    () => {
      askedMs.push(performance.now())
      return Promise.resolve(0)
    },
    () => undefined,
    () => undefined,
    60_000,
  )
  const startedMs = performance.now()
  while (askedMs.length < 2 && performance.now() < startedMs + 5000) {
    asking.soon()
    await Bun.sleep(20)
  }
  const [first = Infinity, second = Infinity] = askedMs.map((ms) => ms - startedMs)
  expect(first).toBeLessThan(900)
  expect(second - first).toBeGreaterThan(900)
  expect(second).toBeLessThan(5000)
})

test("a request that was made sooner is not made again at its former time", () => {
  Object.assign(globalThis, { document: tab(false) })
  jest.useFakeTimers()
  try {
    let asked = 0
    const none = (): void => undefined
    const asking = new PeriodicQuestion(() => new Promise<void>(() => void (asked += 1)), none, none, 60_000)
    const within = spyOn(globalThis, "setTimeout")
    jest.advanceTimersByTime(1)
    asking.soon()
    jest.advanceTimersByTime(1000)
    expect(asked).toBe(1)
    const times = within.mock.calls.length
    jest.advanceTimersByTime(59_500)
    expect(within.mock.calls).toHaveLength(times)
    within.mockRestore()
  } finally {
    jest.useRealTimers()
  }
})

test("a request whose answer is on its way is not repeated, and a missing answer is reported", async () => {
  Object.assign(globalThis, { document: tab(false) })
  const waiting: ((isAnswered: boolean) => void)[] = []
  const heard: string[] = []
  const asking = new PeriodicQuestion(
    () => new Promise<string>((resolve, reject) => waiting.push((is) => (is ? resolve("yes") : reject()))),
    (answer) => heard.push(answer),
    () => heard.push("none"),
    20,
  )
  asking.soon()
  while (waiting.length === 0) await Bun.sleep(5)
  await Bun.sleep(100)
  expect(waiting).toHaveLength(1)
  waiting[0]?.(true)
  while (waiting.length === 1) await Bun.sleep(5)
  expect(heard).toEqual(["yes"])
  waiting[1]?.(false)
  while (waiting.length === 2) await Bun.sleep(5)
  expect(heard).toEqual(["yes", "none"])
  Object.assign(globalThis, { document: tab(true) })
  waiting[2]?.(true)
  await Bun.sleep(100)
  expect(waiting).toHaveLength(3)
})

test("a forecast is in times of the server's clock, and there is none without an answer", async () => {
  Object.assign(globalThis, { document: tab(false) })
  using forecast = spyOn(server, "forecast")
  const foreseen = (): Promise<PageForecast> => new Promise((resolve) => askStarts(() => 5000, resolve))
  const start = { id: 7, starts_in_seconds: 2, starts_low_seconds: 1, starts_high_seconds: 3 }
  forecast.mockResolvedValueOnce({ forecast: [start], done_in_seconds: 10, workers: 1 })
  const starts = new Map([[7, { aboutMs: 7000, lowMs: 6000, highMs: 8000 }]])
  expect(await foreseen()).toEqual({ starts, doneMs: 15_000 })
  forecast.mockResolvedValueOnce({ forecast: [], done_in_seconds: null, workers: 0 })
  expect(await foreseen()).toEqual(NO_FORECAST)
  forecast.mockRejectedValueOnce(new Error("no answer"))
  expect(await foreseen()).toBe(NO_FORECAST)
})
