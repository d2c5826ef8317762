import { expect, spyOn, test } from "bun:test"

import { EVERYBODY } from "../../src/access/authorize.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import { FairTurns, UNLIMITED } from "../../src/http/fair-turns.ts"
import { blank } from "../../src/item/blank-item.ts"
import { ClockedServer } from "../queue/clocked.ts"
import { UNPROTECTED } from "./unprotected.ts"

/** Work that takes long, as a request may do it. */
function work(ms: number): void {
  const startedMs = performance.now()
  while (performance.now() - startedMs < ms);
}

const tick = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** Lets the request that has just come go on as far as it may before the next one comes, as a server does. */
async function settled(): Promise<void> {
  for (let hop = 0; hop < 50; hop += 1) await Promise.resolve()
}

/** Requests that take long and come one after the other in one tick. Each is noted when it goes on. */
async function come(turns: FairTurns, names: readonly string[], order: string[]): Promise<Promise<void>[]> {
  const all: Promise<void>[] = []
  for (const name of names) {
    const one = async (): Promise<void> => {
      await turns.wait(name.slice(0, 1))
      order.push(name)
      work(3)
    }
    all.push(one())
    await settled()
  }
  return all
}

test("a client that has used its part of a tick waits, and the requests of others go on at once", async () => {
  const order: string[] = []
  const all = await come(new FairTurns(() => true), ["a1", "a2", "a3", "b1"], order)
  expect(order).toEqual(["a1", "b1"])
  await Promise.all(all)
  expect(order).toEqual(["a1", "b1", "a2", "a3"])
})

test("others have their turn between two requests that take long, and clients that wait take turns", async () => {
  const order: string[] = []
  const all = await come(new FairTurns(() => true), ["a1", "a2", "a3", "b1", "b2"], order)
  let isOver = false
  const counting = (async () => {
    for (; !isOver; order.push("tick")) await tick()
  })()
  await Promise.all(all)
  isOver = true
  await counting
  const said = order.join(" ")
  expect(said.replace(/(tick ?)+/g, "").trim()).toBe("a1 b1 a2 b2 a3")
  expect(said).toMatch(/a2 (tick )+b2 (tick )+a3/)
})

/** The number of ticks in which a hundred requests of one client go on that take this long each. */
async function ticksOf(eachMs: number): Promise<number> {
  let nowMs = performance.now()
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const turns = new FairTurns(() => true)
  const going = new Set<number>()
  const one = async (): Promise<void> => {
    await turns.wait("client")
    going.add(count)
    nowMs += eachMs
  }
  let count = 0
  let isOver = false
  const counting = (async () => {
    for (; !isOver; count += 1) await tick()
  })()
  const all: Promise<void>[] = []
  for (let i = 0; i < 100; i += 1) {
    all.push(one())
    await settled()
  }
  await Promise.all(all)
  isOver = true
  await counting
  return going.size
}

test("as many requests of a client go on in a tick as take a millisecond together", async () => {
  expect(await ticksOf(0)).toBeLessThan(10)
  expect(await ticksOf(0.1)).toBeWithin(10, 16)
  expect(await ticksOf(0.4)).toBeWithin(48, 54)
  expect(await ticksOf(2)).toBeWithin(100, 103)
})

test("a caller to whom no limit applies waits for nothing", () => {
  const turns = new FairTurns(() => true)
  for (let i = 0; i < 3; i += 1) {
    expect(turns.wait(undefined)).toBe(undefined)
    work(2)
  }
})

test("a request waits behind those of its client that wait already, also in the turn of another client", async () => {
  const turns = new FairTurns(() => true)
  const order: string[] = []
  const all = await come(turns, ["a1", "a2", "b1", "b2"], order)
  await tick()
  await settled()
  expect(order).toEqual(["a1", "b1", "a2"])
  all.push(...(await come(turns, ["b3"], order)))
  await Promise.all(all)
  expect(order).toEqual(["a1", "b1", "a2", "b2", "b3"])
})

test("a client that is alone has more time in a tick, until another client asks or has something open", async () => {
  let nowMs = performance.now()
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  let haveOthers = false
  const turns = new FairTurns(() => haveOthers)
  /** Whether the second of two requests of a client waits, if the first took this long. */
  const waitsAfter = async (tookMs: number): Promise<boolean> => {
    turns.heard("a")
    await turns.wait("a")
    nowMs += tookMs
    turns.heard("a")
    const wait = turns.wait("a")
    await wait
    await tick()
    return wait !== undefined
  }
  expect(await waitsAfter(19)).toBe(false)
  expect(await waitsAfter(21)).toBe(true)
  turns.heard("b")
  expect(await waitsAfter(2)).toBe(true)
  nowMs += 4000
  expect(await waitsAfter(2)).toBe(true)
  nowMs += 6000
  expect(await waitsAfter(19)).toBe(false)
  turns.heard(undefined)
  expect(await waitsAfter(2)).toBe(true)
  nowMs += 6000
  haveOthers = true
  expect(await waitsAfter(2)).toBe(true)
})

test("a client that has waited has its whole part of the tick again, and no more", async () => {
  let nowMs = performance.now()
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const turns = new FairTurns(() => true)
  expect(turns.wait("a")).toBeUndefined()
  nowMs += 3
  const waiting = turns.wait("a")
  expect(waiting).toBeDefined()
  await waiting
  nowMs += 0.5
  expect(turns.wait("a")).toBeUndefined()
  nowMs += 0.6
  expect(turns.wait("a")).toBeDefined()
})

test("a client that was alone has the short time of a tick as soon as another one asks", async () => {
  let nowMs = performance.now()
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const turns = new FairTurns(() => false)
  let gone = 0
  const ask = async (): Promise<void> => {
    await turns.wait("a")
    gone += 1
    nowMs += 0.5
  }
  turns.heard("a")
  const all: Promise<void>[] = []
  for (let i = 0; i < 80; i += 1) {
    all.push(ask())
    await settled()
  }
  expect(gone).toBe(40)
  turns.heard("b")
  await tick()
  await settled()
  expect(gone).toBeWithin(41, 44)
  await Promise.all(all)
})

test("no client is alone while a request of another one is under way, however long that takes", async () => {
  let nowMs = performance.now()
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const turns = new FairTurns(() => false)
  let isOver = false
  const search = async (): Promise<void> => {
    while (!isOver) await turns.goOn("b")
  }
  let gone = 0
  const ask = async (): Promise<void> => {
    turns.heard("a")
    await turns.wait("a")
    gone += 1
    nowMs += 0.5
  }
  turns.heard("b")
  const searching = search()
  await ask()
  await tick()
  nowMs += 10_000
  gone = 0
  const all: Promise<void>[] = []
  for (let i = 0; i < 20; i += 1) {
    all.push(ask())
    await settled()
  }
  const inOneTick = gone
  await Promise.all(all)
  isOver = true
  await searching
  expect(inOneTick).toBeWithin(1, 4)
})

test("after a long tick the requests that wait rest, but not while their client is alone", async () => {
  let nowMs = performance.now()
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const turns = new FairTurns(() => false)
  /** How often the requests of a client rest while six go on that take this long each. */
  const restsOf = async (eachMs: number): Promise<number> => {
    using timers = spyOn(globalThis, "setTimeout")
    const ask = async (): Promise<void> => {
      turns.heard("a")
      await turns.wait("a")
      nowMs += eachMs
    }
    const all: Promise<void>[] = []
    for (let i = 0; i < 6; i += 1) {
      all.push(ask())
      await settled()
    }
    await Promise.all(all)
    return timers.mock.calls.length
  }
  expect(await restsOf(25)).toBe(0)
  turns.heard("b")
  expect(await restsOf(25)).toBeGreaterThanOrEqual(5)
})

test("a request shows that its client is there, also one that writes and never waits", async () => {
  using heard = spyOn(FairTurns.prototype, "heard")
  await using server = await ClockedServer.start()
  await server.ask("POST", "/queue", { song_id: 1 })
  expect(heard).toHaveBeenCalledTimes(1)
})

/** The parts of a program whose queue answers lists in this way. */
const listing = (list: () => Promise<object>): Partial<Record<keyof AppParts, unknown>> => ({
  host: "127.0.0.1",
  corsOrigins: [],
  allowedHosts: [],
  version: "0",
  commit: "none",
  queue: { list },
  forecasts: { of: () => Promise.resolve(new Map()) },
  streams: { count: 0 },
  ...UNPROTECTED,
})

test("others have their turn between the reading and the writing of a long list", async () => {
  let count = 100
  const item = blank(1, "2026-01-02T03:04:05.678Z")
  const list = () =>
    Promise.resolve({ items: Array.from({ length: count }, () => item), next: null, slices: 0 })
  const parts = listing(list)
  const app = createApp(parts as AppParts)
  using goOn = spyOn(FairTurns.prototype, "goOn")
  const waitsFor = async (items: number): Promise<number> => {
    count = items
    goOn.mockClear()
    const answer = await app.handle(new Request("http://127.0.0.1/api/v1/queue"))
    const { queue }: { queue: unknown[] } = await answer.json()
    expect(queue).toHaveLength(items)
    return goOn.mock.results.filter(({ value }) => value !== undefined).length
  }
  expect([await waitsFor(100), await waitsFor(101)]).toEqual([0, 1])
})

test("long answers that programs of this machine ask for at once have a turn each, although no limit applies to them", async () => {
  let read = 0
  const list = async () => {
    read += 1
    work(3)
    return { items: [], next: null, slices: 0 }
  }
  const parts: ReturnType<typeof listing> = {
    ...listing(list),
    streams: { count: 1 },
    onError: () => undefined,
  }
  const app = createApp(parts as AppParts)
  const ask = (path: string) => app.handle(new Request(`http://127.0.0.1/api/v1${path}`))
  for (const path of ["/queue", "/queue/"]) {
    read = 0
    const answers: Promise<Response>[] = []
    for (let i = 0; i < 10; i += 1) {
      answers.push(ask(path))
      await settled()
    }
    // None has its turn at once while those before still rest.
    expect(read).toBeLessThan(2)
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(10).fill(200))
  }
  using waits = spyOn(FairTurns.prototype, "wait").mockImplementation(() => undefined)
  const long = ["/queue/1/updates", "/queue/1/output", "/songs/1/output", "/queue/counts", "/dashboard"]
  for (const path of [...long, "/queue/1", "/queue/next"]) await ask(path)
  expect(waits.mock.calls.flat()).toEqual([...long.map(() => UNLIMITED), undefined, undefined])
})

test("what a client asked for before it left is not read when its turn comes", async () => {
  let read = 0
  const list = async () => {
    read += 1
    work(3)
    return { items: [], next: null, slices: 0 }
  }
  const caller: unknown = { ...EVERYBODY, client: "address" }
  const authorizer: unknown = { caller: () => caller, unknownCaller: () => caller }
  const parts = { ...listing(list), authorizer }
  const app = createApp(parts as AppParts)
  const client = new AbortController()
  const ask = (init: RequestInit = {}): Promise<Response> =>
    app.handle(new Request("http://127.0.0.1/api/v1/queue", init))
  const due = Promise.withResolvers<void>()
  using waits = spyOn(FairTurns.prototype, "wait").mockImplementation(() => due.promise)
  const answers = [ask(), ask({ signal: client.signal }), ask({ signal: client.signal })]
  while (waits.mock.calls.length < 3) await tick()
  client.abort()
  due.resolve()
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 499, 499])
  expect(read).toBe(1)
})

test("a client that asks for many long lists at once has one of them in memory, and others have their turn before it is written", async () => {
  const turns = new FairTurns(() => true)
  let [unwritten, most] = [0, 0]
  const order: string[] = []
  const list = async (name: string): Promise<void> => {
    await turns.wait("a")
    unwritten += 1
    most = Math.max(most, unwritten)
    order.push(`${name} read`)
    work(3)
    await turns.goOn("a")
    unwritten -= 1
    order.push(`${name} written`)
    work(3)
  }
  const lists: Promise<void>[] = []
  for (const name of ["a1", "a2", "a3", "a4"]) {
    lists.push(list(name))
    await settled()
  }
  await Promise.all([...lists, ...(await come(turns, ["b1", "b2"], order))])
  expect(most).toBe(1)
  expect(order.slice(0, 4)).toEqual(["a1 read", "b1", "a1 written", "b2"])
})
