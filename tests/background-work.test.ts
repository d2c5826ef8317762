import { expect, jest, spyOn, test } from "bun:test"

import { every, Repeating, stopAll, within, WorkSlice } from "../src/background-work.ts"

/** An event that a test can wait for. */
function happening() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { promise, resolve }
}

test("rounds never overlap: one that is due while another is under way is left out", async () => {
  const [third, free] = [happening(), happening()]
  let [rounds, atOnce, most] = [0, 0, 0]
  const repetition = every(
    1,
    async () => {
      atOnce += 1
      most = Math.max(most, atOnce)
      rounds += 1
      if (rounds === 1) await free.promise
      if (rounds === 3) third.resolve()
      atOnce -= 1
    },
    () => undefined,
  )
  await Bun.sleep(20)
  expect(rounds).toBe(1)
  free.resolve()
  await third.promise
  await repetition.stop()
  expect(most).toBe(1)
})

test("an error in a round is reported, and the next round runs", async () => {
  const done = happening()
  const errors: unknown[] = []
  let rounds = 0
  const repetition = every(
    1,
    () => {
      rounds += 1
      if (rounds === 3) done.resolve()
      if (rounds < 3) throw new Error(`round ${rounds}`)
    },
    (error) => errors.push(error),
  )
  await done.promise
  await repetition.stop()
  expect(errors.map(String)).toEqual(["Error: round 1", "Error: round 2"])
})

test("stopping waits for the round under way, and no other begins", async () => {
  const [begun, free] = [happening(), happening()]
  let [rounds, ended] = [0, false]
  const repetition = every(
    1,
    async () => {
      rounds += 1
      begun.resolve()
      await free.promise
      ended = true
    },
    () => undefined,
  )
  await begun.promise
  const stopped = repetition.stop()
  setTimeout(free.resolve, 20)
  await stopped
  expect(ended).toBe(true)
  await Bun.sleep(20)
  expect(rounds).toBe(1)
  await repetition.stop()
})

test("repetitions of one interval take their rounds together, whenever they were begun, and those of twice the interval join every second round", async () => {
  let [nowMs, waitMs] = [1000, 0]
  let ring = (): void => undefined
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  using _timer = spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms: number) => {
    ;[ring, waitMs] = [run, ms]
  }) as never)
  const rounds: string[] = []
  const begin = (name: string, ms: number) =>
    every(
      ms,
      () => void rounds.push(`${name} at ${nowMs}`),
      () => undefined,
    )
  const first = begin("first", 40)
  nowMs += 13
  const second = begin("second", 40)
  nowMs += 9
  const slow = begin("slow", 80)
  while (nowMs < 1160) {
    nowMs += waitMs
    ring()
    await new Promise(setImmediate)
  }
  await Promise.all([first.stop(), second.stop(), slow.stop()])
  const together = (ms: number): string[] => [`first at ${ms}`, `second at ${ms}`]
  expect(rounds).toEqual([
    ...[...together(1040), "slow at 1040", ...together(1080)],
    ...[...together(1120), "slow at 1120", ...together(1160)],
  ])
})

test("a timer that was kept waiting says how late it was, once, and goes on in its time", async () => {
  const lates: number[] = []
  const done = happening()
  const repetition = every(
    20,
    (lateMs) => {
      lates.push(lateMs)
      if (lates.length === 1) for (const endMs = performance.now() + 105; performance.now() < endMs;);
      if (lates.length === 4) done.resolve()
    },
    () => undefined,
  )
  await done.promise
  await repetition.stop()
  expect(lates[1]).toBeGreaterThan(60)
  expect(Math.min(...lates.slice(2))).toBeLessThan(60)
})

test("after a pause of the process one round is made, and not all those that were missed", async () => {
  jest.useFakeTimers()
  let nowMs = 1000
  const clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  try {
    let rounds = 0
    const repetition = every(
      500,
      () => void (rounds += 1),
      () => undefined,
    )
    nowMs += 3_600_123
    for (let i = 0; i < 5; i += 1) {
      jest.advanceTimersByTime(i === 0 ? 500 : 1)
      await Promise.resolve()
    }
    expect(rounds).toBe(1)
    await repetition.stop()
  } finally {
    clock.mockRestore()
    jest.useRealTimers()
  }
})

test("work that begins takes its rounds although the shared timer was lost while setTimeout was replaced", async () => {
  const [lost, round] = [happening(), happening()]
  const left = every(
    10,
    () => undefined,
    () => undefined,
  )
  const setting = spyOn(globalThis, "setTimeout").mockImplementation((() => lost.resolve()) as never)
  try {
    await lost.promise
  } finally {
    setting.mockRestore()
  }
  const begun = every(
    10,
    () => round.resolve(),
    () => undefined,
  )
  await round.promise
  await Promise.all([left.stop(), begun.stop()])
})

/** Counts its rounds. */
class Counting extends Repeating {
  rounds = 0
  readonly second = happening()

  round(): void {
    this.rounds += 1
    if (this.rounds === 2) this.second.resolve()
  }
}

test("a repeating service takes its rounds from the start to the stop, and none if it was stopped before", async () => {
  const [counting, stopped] = [new Counting(1, () => undefined), new Counting(1, () => undefined)]
  await stopped.stop()
  await stopped.start()
  await counting.start()
  await counting.second.promise
  await counting.stop()
  const { rounds } = counting
  await Bun.sleep(20)
  expect([counting.rounds, stopped.rounds]).toEqual([rounds, 0])
})

test("a time limit says whether it is over, and its timer ends with the work that it limits", async () => {
  const [setting, clearing] = [spyOn(globalThis, "setTimeout"), spyOn(globalThis, "clearTimeout")]
  try {
    expect(await within(60_000, Promise.resolve())).toBe(true)
    expect(await within(1, new Promise(() => undefined))).toBe(false)
    await expect(within(60_000, Promise.reject(new Error("broken")))).rejects.toThrow("broken")
    const timers = setting.mock.results.map(({ value }) => value)
    expect(timers).toHaveLength(3)
    expect(clearing.mock.calls.map(([timer]): unknown => timer)).toEqual(timers)
  } finally {
    setting.mockRestore()
    clearing.mockRestore()
  }
})

test("a slice of work is over after its time, and the next one begins when other work has gone on", async () => {
  let nowMs = 100
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const slice = new WorkSlice(5)
  const isOverAt = (ms: number): boolean => {
    nowMs = ms
    return slice.isOver
  }
  expect([isOverAt(105), isOverAt(105.1)]).toEqual([false, true])
  let others = 0
  setImmediate(() => {
    others += 1
    nowMs = 200
  })
  await slice.next()
  expect([others, isOverAt(205), isOverAt(205.1)]).toEqual([1, false, true])
})

test("all services are stopped even if one of them fails, and each failure is reported", async () => {
  const [stopped, failures]: [string[], unknown[]] = [[], []]
  const service = (name: string, failure?: Error) => ({
    start: () => Promise.resolve(),
    async stop() {
      if (failure) throw failure
      await Bun.sleep(1)
      stopped.push(name)
    },
  })
  const [one, two] = [new Error("one"), new Error("two")]
  const services = [service("a"), service("b", one), service("c"), service("d", two)]
  await stopAll(services, (error) => void failures.push(error))
  expect([stopped, failures]).toEqual([
    ["a", "c"],
    [one, two],
  ])
})
