import { expect, spyOn, test } from "bun:test"

import { BellOrPollingBus } from "../../src/bus/bell-or-polling.ts"
import { busContract } from "../contracts/bus.contract.ts"
import { ringing, took, type Wire, wire } from "./bell.ts"

const two = (shared: Wire, mergeMs?: number) =>
  Promise.all([ringing(() => shared.bell(), mergeMs), ringing(() => shared.bell(), mergeMs)])

busContract("RemoteBus", () => {
  const shared = wire()
  return ringing(() => shared.bell())
})

test("a notification rings at once for the instance's own listeners, and for those of other instances", async () => {
  const shared = wire()
  const [a, b] = await two(shared)
  await using _a = a
  await using _b = b
  const [own, other] = [a.rung.rings, b.rung.rings]
  a.bus.notify()
  expect(a.rung.rings).toBe(own + 1)
  expect(await took(() => b.rung.after(other))).toBeLessThan(200)
  expect(a.told).toEqual([])
})

test("the echo of an instance's own notification does not ring again", async () => {
  const shared = wire()
  await using one = await ringing(() => shared.bell(), 0)
  const before = one.rung.rings
  one.bus.notify()
  expect(shared.said).toEqual(["test", "ring"])
  await Bun.sleep(0)
  expect(one.rung.rings).toBe(before + 1)
})

test("many notifications cause few rings at other instances, and the last one always causes a ring", async () => {
  const shared = wire()
  const [a, b] = await two(shared, 10)
  await using _a = a
  await using _b = b
  for (let i = 0; i < 50; i += 1) {
    a.bus.notify()
    if (i % 10 === 0) await Bun.sleep(1)
  }
  const before = b.rung.rings
  await b.rung.after(before)
  expect(shared.said.filter((kind) => kind === "ring").length).toBeLessThan(10)
})

test("a test of the bell causes no ring in other instances", async () => {
  const shared = wire()
  await using a = await ringing(() => shared.bell())
  const before = a.rung.rings
  await using b = await ringing(() => shared.bell())
  expect(b.told).toEqual([])
  expect(shared.said).toEqual(["test", "test"])
  expect(a.rung.rings).toBe(before)
})

test("a bell that is connected but deaf is noticed: the bus polls, reports it once, and hears again with the next bell", async () => {
  const shared = wire()
  shared.isSwallowing = true
  await using one = await ringing(() => shared.bell())
  await one.saidOfHealth(1)
  expect(one.told).toEqual(["deaf: it does not hear itself"])
  const before = one.rung.rings
  expect(await took(() => one.rung.after(before + 3))).toBeLessThan(3000)
  shared.isSwallowing = false
  await one.saidOfHealth(2)
  expect(one.told).toEqual(["deaf: it does not hear itself", "hears"])
  expect(shared.opened).toBeGreaterThan(1)
  // A bell that was heard a moment ago needs no test.
  const tests = (): number => shared.said.filter((kind) => kind === "test").length
  const made = tests()
  await Bun.sleep(1000)
  expect(tests()).toBe(made)
}, 180_000)

test("control: a bus that trusts a bell which is connected and deaf hears nothing, and gets no error", async () => {
  const shared = wire()
  const heard: string[] = []
  const lost: unknown[] = []
  const [a, b] = [shared.bell(), shared.bell()]
  for (const bell of [a, b])
    await bell.open(
      (words) => heard.push(words),
      (error) => lost.push(error),
    )
  await a.say("ring heard")
  shared.isSwallowing = true
  await a.say("ring swallowed")
  expect([heard, lost]).toEqual([["ring heard", "ring heard"], []])
})

test("a bell that neither carries messages nor refuses them is noticed", async () => {
  const shared = wire()
  await using one = await ringing(() => shared.bell())
  shared.isFrozen = true
  one.bus.notify()
  await one.saidOfHealth(1)
  expect(one.told).toEqual(["deaf: it does not hear itself"])
  shared.isFrozen = false
  await one.saidOfHealth(2)
}, 180_000)

test("a bell that goes deaf later is noticed even without a notification", async () => {
  const shared = wire()
  await using one = await ringing(() => shared.bell())
  shared.isSwallowing = true
  await one.saidOfHealth(1)
  expect(one.told).toEqual(["deaf: it does not hear itself"])
}, 180_000)

test("the end of a connection is noticed at once, and rings of that time are repeated with the next bell", async () => {
  const shared = wire()
  const [a, b] = await two(shared)
  await using _a = a
  await using _b = b
  shared.isAway = true
  expect(await took(async () => shared.cut())).toBeLessThan(100)
  expect([a.told, b.told]).toEqual([["deaf: cut"], ["deaf: cut"]])
  a.bus.notify()
  shared.isAway = false
  await Promise.all([a.saidOfHealth(2), b.saidOfHealth(2)])
  while (!shared.said.includes("ring")) await b.rung.after(b.rung.rings)
}, 180_000)

test("a ring that was under way when the bell was lost is repeated by the next bell", async () => {
  const shared = wire()
  const [a, b] = await two(shared, 0)
  await using _a = a
  await using _b = b
  shared.isSwallowing = true
  a.bus.notify()
  while (!shared.said.includes("ring")) await new Promise(setImmediate)
  shared.isSwallowing = false
  shared.cut()
  await Promise.all([a.saidOfHealth(2), b.saidOfHealth(2)])
  await new Promise(setImmediate)
  // Each repeats what it may have said to nobody.
  expect(shared.said.filter((kind) => kind === "ring")).toHaveLength(3)
}, 180_000)

test("a message that arrives late through a lost bell does not show that the bus hears", async () => {
  const shared = wire()
  const late: (() => void)[] = []
  await using one = await ringing(() => {
    const { open, say, close } = shared.bell()
    let hear: (words: string) => void = () => undefined
    return {
      open: (heard, lost) => open((hear = heard), lost),
      say: (words) => {
        late.push(() => hear(words))
        return say(words)
      },
      close,
    }
  })
  shared.isAway = true
  shared.cut()
  for (const arrive of late) arrive()
  expect(one.told).toEqual(["deaf: cut"])
})

test("updates of an instance that cannot ring are noticed within about a second, and are not looked for more often", async () => {
  const shared = wire()
  const [a, b] = await two(shared)
  await using _a = a
  await using _b = b
  const looksMs: number[] = []
  b.bus.listen(() => void looksMs.push(performance.now()))
  shared.isMute = true
  a.bus.notify()
  const before = b.rung.rings
  expect(await took(() => b.rung.after(before))).toBeLessThan(2000)
  await b.rung.after(before + 1)
  const [firstMs = 0, secondMs = 0] = looksMs
  expect(secondMs - firstMs).toBeGreaterThan(600)
  expect([a.told, b.told]).toEqual([[], []])
}, 180_000)

test("a bus that was stopped opens no bell and rings no more by itself", async () => {
  const shared = wire()
  const { bus, rung } = await ringing(() => shared.bell())
  await bus.stop()
  await bus.stop()
  const [opened, rings] = [shared.opened, rung.rings]
  await Bun.sleep(600)
  expect([shared.opened, rung.rings]).toEqual([opened, rings])
})

test("after a pause of the whole process the bus waits for the echo before it gives its bell up", async () => {
  const shared = wire()
  const held: (() => Promise<unknown>)[] = []
  let isHolding = false
  await using one = await ringing(() => {
    const bell = shared.bell()
    const say = async (words: string): Promise<unknown> => {
      if (!isHolding) return bell.say(words)
      return new Promise((resolve) => held.push(async () => resolve(await bell.say(words))))
    }
    return { ...bell, say }
  }, 0)
  // Then the first test is over, and the bell is free.
  await new Promise(setImmediate)
  isHolding = true
  one.bus.notify()
  expect(held).toHaveLength(1)
  const now = performance.now.bind(performance)
  const clock = spyOn(performance, "now").mockImplementation(() => now() + 3000)
  try {
    // It looks for news in its next round, which is late.
    await one.rung.after(one.rung.rings)
    isHolding = false
    await held[0]?.()
    await one.rung.after(one.rung.rings)
    expect(one.told).toEqual([])
  } finally {
    clock.mockRestore()
  }
}, 180_000)

test("a bus that hears again looks at once for what it may have missed", async () => {
  const shared = wire()
  let rings = 0
  let [ringsAtHearing, ringsAfter] = [Number.NaN, Number.NaN]
  const hears = Promise.withResolvers<void>()
  const bus = new BellOrPollingBus({
    bell: () => shared.bell(),
    mergeMs: 0,
    onDeaf: () => (shared.isAway = false),
    onHears: () => {
      ringsAtHearing = rings
      queueMicrotask(() => {
        ringsAfter = rings
        hears.resolve()
      })
    },
    onError: (error) => expect(error).toBeUndefined(),
  })
  bus.listen(() => (rings += 1))
  shared.isAway = true
  await bus.start()
  await hears.promise
  expect(ringsAfter).toBe(ringsAtHearing + 1)
  await bus.stop()
}, 180_000)

test("a bell that does not open in time is given up, and another one is opened", async () => {
  const deaf = Promise.withResolvers<unknown>()
  let [opened, closed] = [0, 0]
  const again = Promise.withResolvers<void>()
  const bus = new BellOrPollingBus({
    bell: () => ({
      open() {
        opened += 1
        if (opened === 2) again.resolve()
        return new Promise(() => undefined)
      },
      say: () => Promise.resolve(),
      close: () => void (closed += 1),
    }),
    mergeMs: 1,
    onDeaf: deaf.resolve,
    onHears: () => undefined,
    onError: deaf.reject,
  })
  await bus.start()
  expect(await deaf.promise).toMatchObject({ message: "it could not connect in time" })
  await again.promise
  expect(closed).toBe(1)
  await bus.stop()
  expect(closed).toBe(2)
})
