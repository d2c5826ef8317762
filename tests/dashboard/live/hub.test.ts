import { afterAll, beforeAll, expect, jest, setDefaultTimeout, spyOn, test } from "bun:test"

import fc from "fast-check"

import { Hub } from "../../../src/dashboard/live/hub.ts"
import { server } from "../../../src/dashboard/live/server.ts"
import { ORDERS, State } from "../../../src/dashboard/model/apply-updates.ts"
import type { Counts, FromHub } from "../../../src/dashboard/model/hub-messages.ts"
import type { ListName } from "../../../src/dashboard/model/lists.ts"
import { type QueueItem, type Status, STATUSES } from "../../../src/item/item.ts"
import { isWaiting } from "../../../src/item/moves.ts"
import { item, time } from "../items.ts"
import { AFRESH, Far, listOf, settled } from "./far-server.ts"

/** A tab, which shows what it gets from the hub. */
class Tab {
  readonly state = new State()
  hear(message: FromHub): void {
    if (message.type === "state") this.state.replace(structuredClone(message.items), message.ends)
    if (message.type === "updates") this.state.apply(message.updates)
    if (message.type === "items") this.state.put(message.items, message.removed)
    if (message.type === "more") this.state.extend(message.items, message.ends)
  }

  /** The items of a list that it shows, as far as the list is known. */
  shown(list: ListName, items: Iterable<QueueItem>): QueueItem[] {
    const end = this.state.ends[list]
    const isShown = (one: QueueItem): boolean =>
      end === null || (end !== "unread" && ORDERS[list](one, end) <= 0)
    return [...items].filter((one) => listOf(one) === list && isShown(one)).sort(ORDERS[list])
  }
}

async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms)
  await settled()
}

let far = new Far()
beforeAll(() => {
  jest.useFakeTimers()
  const stats = (): Awaited<ReturnType<typeof server.stats>> => ({
    ...{ connected_clients: 1, timestamp: new Date().toISOString(), streams: { global: 1, item: 0 } },
    updates: { stored: far.updates.length, oldest_id: 1, newest_id: far.updates.length || null },
    ...{ uptime_seconds: 1, client_address: "" },
  })
  spyOn(server, "watch").mockImplementation((options = {}) => far.watch(options))
  spyOn(server, "stats").mockImplementation(() => far.ask(stats))
  spyOn(server, "counts").mockRejectedValue(new Error("not asked for here"))
  spyOn(server, "get").mockImplementation((id) => far.ask(() => far.get(id)))
  spyOn(server, "list").mockImplementation(({ status, after }) =>
    far.ask(() => far.page(status as Status, after)),
  )
})
afterAll(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
})

/** The items at the beginning, ten of each status. */
const POPULATION = Array.from({ length: 50 }, (_, i) => {
  const status = STATUSES[i % STATUSES.length] ?? "queued"
  const isOver = status === "completed" || status === "failed"
  const ended = isOver ? { outcome: status, completed_at: time(-((i * 37) % 100)) } : {}
  return item({
    id: 1000 + i,
    status,
    attempt: status === "queued" ? 0 : 1,
    started_at: time(-200),
    ...ended,
  })
})

/** What can happen. An entry that is listed twice happens twice as often. */
const ACTS =
  "happen happen happen happen arrive arrive arrive answer answer answers fail cut connect more pass pass"
const acts = fc.array(
  fc.tuple(fc.constantFrom(...ACTS.split(" ")), fc.nat({ max: 4 }), fc.nat({ max: 30 })),
  { minLength: 30, maxLength: 80 },
)
const LISTS = ["running", "waiting", "finished"] as const

// The machine may be busy.
setDefaultTimeout(180_000)

async function play(hub: Hub, [act, what, at]: readonly [string, number, number]): Promise<void> {
  if (act === "happen") far.happen(what, at)
  if (act === "arrive") await far.arrive(at % 4)
  if (act === "answer") far.questions[at % far.questions.length]?.next(false)
  // The newest first, or the oldest.
  const asked = at % 2 === 0 ? far.questions.toReversed() : [...far.questions]
  if (act === "answers") for (const question of asked.slice(0, what * 3)) question.next(false)
  if (act === "fail") far.questions[at % far.questions.length]?.next(true)
  if (act === "cut") await far.cut()
  if (act === "connect") far.connect(what < 2)
  if (act === "more") hub.receive("tab", { type: "more", list: LISTS[at % 3] ?? "running" })
  if (act === "pass") await pass(100 * what)
  await settled()
}

/** All requests are answered, and everything that has happened has arrived. */
async function calm(): Promise<void> {
  for (let round = 0; round < 30; round += 1) {
    far.connect(false)
    await far.arrive(1000)
    for (const question of [...far.questions]) question.next(false)
    await pass(500)
  }
}

/** A hub that has read a server with many items, and its one tab. */
async function opened(hear: (message: FromHub) => void = () => undefined) {
  far = new Far()
  for (const one of POPULATION) far.items.set(one.id, one)
  const tab = new Tab()
  const listeners = [hear]
  const hub = new Hub((message) => {
    tab.hear(message)
    for (const listener of listeners) listener(message)
  })
  hub.receive("tab", { type: "hello", visible: true })
  await calm()
  // A cause that is empty and one that is missing say the same.
  const shown = (list: ListName, items: Iterable<QueueItem>): object[] =>
    tab.shown(list, items).map((item) => ({ error_cause: "", ...item }))
  const check = (): void => {
    for (const list of LISTS) {
      expect(shown(list, tab.state.items.values())).toEqual(shown(list, far.items.values()))
    }
  }
  return {
    hub,
    /** The tab shows what the server has. */
    check,
    /** Adds a tab that gets everything that the hub sends. */
    listen: (listener: (message: FromHub) => void): void => void listeners.push(listener),
    /** How many items the tab knows, of all lists or of one. */
    shown: (list?: ListName): number =>
      [...tab.state.items.values()].filter((one) => list === undefined || listOf(one) === list).length,
    async [Symbol.asyncDispose]() {
      hub.close()
      await settled()
    },
  }
}

test("a tab ends with the server's state, whatever comes late, gets lost or fails, in any order", async () => {
  await fc.assert(
    fc.asyncProperty(acts, async (story) => {
      await using page = await opened()
      for (const one of story) await play(page.hub, one)
      await calm()
      page.check()
    }),
    { numRuns: 60, endOnFailure: true },
  )
})

/** Several items end and one gets another title, but the stream sends none of this. */
async function missed(): Promise<void> {
  await far.cut()
  for (const at of [1, 11, 16, 26]) far.happen(4, at)
  far.happen(2, 0)
  far.connect(true)
}

test("an answer to a request from before everything was read again changes nothing", async () => {
  await using page = await opened()
  page.hub.receive("tab", { type: "more", list: "finished" })
  far.happen(2, 0)
  await far.arrive(1)
  // Another page of either status, the item that has changed, and perhaps the figures.
  const early = far.questions.splice(0)
  expect(early.length).toBeGreaterThanOrEqual(3)
  for (const question of early) question.next(false)
  await missed()
  await calm()
  for (const question of early) question.next(false)
  await settled()
  page.check()
})

test("of two readings of everything the later one counts, whichever is over first", async () => {
  await using page = await opened()
  await far.cut()
  far.connect(true)
  await far.arrive(1000)
  const early = far.questions.splice(0)
  // A page of each status.
  expect(early.length).toBeGreaterThanOrEqual(5)
  for (const question of early) question.next(false)
  await missed()
  await calm()
  for (const question of early) question.next(false)
  await calm()
  page.check()
})

test("the figures are asked for every five seconds while a tab is on the screen, whether they come or not", async () => {
  await using page = await opened()
  const { calls } = spyOn(server, "counts").mock
  const askedIn = async (seconds: number): Promise<number> => {
    const before = calls.length
    for (let second = 0; second < seconds; second += 1) await pass(1000)
    return calls.length - before
  }
  expect(await askedIn(20)).toBeWithin(3, 5)
  page.hub.receive("tab", { type: "visible", visible: false })
  await pass(1000)
  expect(await askedIn(20)).toBe(0)
  page.hub.receive("tab", { type: "visible", visible: true })
  expect(await askedIn(20)).toBeGreaterThan(2)
  page.hub.receive("tab", { type: "bye" })
  await pass(1000)
  expect(await askedIn(20)).toBe(0)
})

test("the server is asked how far it is when a tab comes onto the screen and after a sleep, and not otherwise", async () => {
  await using page = await opened()
  const { calls } = spyOn(server, "stats").mock
  const askedBy = async (act: () => void): Promise<number> => {
    // Just after one of the requests that are sent every few seconds.
    for (let before = calls.length; calls.length === before;) await pass(500)
    const before = calls.length
    act()
    await pass(1000)
    return calls.length - before
  }
  const show = (visible: boolean): void => page.hub.receive("tab", { type: "visible", visible })
  expect(await askedBy(() => show(true))).toBe(0)
  expect(await askedBy(() => show(false))).toBe(0)
  expect(await askedBy(() => show(true))).toBe(1)
  show(false)
  // This is less than the interval of the requests for a hidden tab.
  expect(await askedBy(() => jest.setSystemTime(Date.now() + 20_000))).toBe(1)
})

test("an update of an item that comes during a request for the item wins over the answer", async () => {
  await using page = await opened()
  const [waiting] = [...far.items.values()].filter(({ status }) => isWaiting(status))
  const started = { ...AFRESH, id: waiting?.id ?? 0 }
  far.change(started.id, { status: "processing", attempt: 1, started_at: time(1) })
  await far.arrive(1)
  // The item was read and the answer is on its way when a newer report arrives first.
  for (const question of far.questions) question.next(false)
  far.change(started.id, { progress: 77 })
  await far.arrive(1)
  for (const question of [...far.questions]) question.next(false)
  await settled()
  page.check()
})

test("more waiting items are read before the known ones run out", async () => {
  await using page = await opened()
  const waiting = (): number => page.shown("waiting")
  const before = waiting()
  const [first] = [...far.items.values()].filter(({ status }) => status === "queued")
  far.change(first?.id ?? 0, { status: "processing", attempt: 1, started_at: time(1) })
  await calm()
  expect(waiting()).toBeGreaterThan(before)
})

test("an item that is deleted while more of its list is read is not shown", async () => {
  await using page = await opened()
  const before = page.shown()
  page.hub.receive("tab", { type: "more", list: "finished" })
  for (const question of [...far.questions]) question.next(false)
  // The answers are on their way.
  for (let at = 0; at < 30; at += 3) far.happen(1, at)
  await far.arrive(1000)
  for (const question of [...far.questions]) question.next(false)
  await calm()
  expect(before).toBeLessThan(POPULATION.length)
  page.check()
})

test("after a change of history nothing is shown until the new one was read", async () => {
  const loaded: boolean[] = []
  await using page = await opened((message) => {
    if (message.type === "state") loaded.push(message.loaded)
  })
  loaded.length = 0
  await far.cut()
  far.history = "another"
  far.connect(true)
  await far.arrive(1000)
  expect([page.shown(), loaded]).toEqual([0, [false]])
  await calm()
  expect(loaded).toEqual([false, true])
  page.check()
})

test("the figures say that the queue is paused as the stream says it, whatever an answer says that was late", async () => {
  const paused: (string | null)[] = []
  await using page = await opened((message) => {
    if (message.type === "counts") paused.push(message.counts.paused_at)
  })
  spyOn(server, "counts").mockResolvedValue({ paused_at: null } as Counts)
  await far.say({ event: "queue", paused_at: "noon" })
  page.hub.receive("tab", { type: "count" })
  await pass(2000)
  expect(paused.at(-1)).toBe("noon")
  const whole: (string | null | undefined)[] = []
  page.listen((message) => message.type === "state" && whole.push(message.counts?.paused_at))
  page.hub.receive("another tab", { type: "hello", visible: true })
  expect(whole).toEqual(["noon"])
  const { length } = paused
  await far.say({ event: "queue", paused_at: null })
  await far.say({ event: "queue", paused_at: null })
  expect(paused.slice(length)).toEqual([null])
  spyOn(server, "counts").mockResolvedValue({ paused_at: "noon" } as Counts)
  page.hub.receive("tab", { type: "count" })
  await pass(2000)
  expect(paused.at(-1)).toBeNull()
  // While no stream says it, an answer is the newest that is known.
  await far.cut()
  page.hub.receive("tab", { type: "count" })
  await pass(2000)
  expect(paused.at(-1)).toBe("noon")
  spyOn(server, "counts").mockRejectedValue(new Error("not asked for here"))
})

test("tabs hear of the connection every two seconds, and of what was left out only once something is shown", async () => {
  const heard: FromHub["type"][] = []
  far = new Far()
  const hub = new Hub((message) => heard.push(message.type))
  hub.receive("tab", { type: "hello", visible: true })
  far.connect(true)
  await far.arrive(10)
  await far.say({ event: "gap", reason: "slow", last_event_id: 0, missed: 3 })
  expect(heard).not.toContain("gap")
  await calm()
  await far.say({ event: "gap", reason: "slow", last_event_id: 0, missed: 3 })
  expect(heard).toContain("gap")
  await calm()
  heard.length = 0
  for (let second = 0; second < 10; second += 1) await pass(1000)
  expect(heard.filter((type) => type === "connection").length).toBeWithin(4, 8)
  hub.close()
  await settled()
})

test("while no tab is on the screen the server is asked how far it is every half minute", async () => {
  await using page = await opened()
  const { calls } = spyOn(server, "stats").mock
  const askedIn = async (seconds: number): Promise<number> => {
    const before = calls.length
    for (let second = 0; second < seconds; second += 1) await pass(1000)
    return calls.length - before
  }
  expect(await askedIn(30)).toBeWithin(5, 8)
  page.hub.receive("tab", { type: "visible", visible: false })
  await pass(1000)
  expect(await askedIn(30)).toBeWithin(1, 3)
})

test("the figures are asked for when the stream is live again, as the queue may have been paused meanwhile", async () => {
  await using _page = await opened()
  const { calls } = spyOn(server, "counts").mock
  // Just after one of the requests that are sent every few seconds.
  for (const { length } = calls; calls.length === length;) await pass(500)
  await far.cut()
  const before = calls.length
  far.connect(false)
  await far.arrive(1000)
  await pass(1000)
  expect(calls.length).toBe(before + 1)
})

test("the server is asked how far it is as soon as the stream is live again", async () => {
  await using _page = await opened()
  const { calls } = spyOn(server, "stats").mock
  await far.cut()
  for (const { length } = calls; calls.length === length;) await pass(500)
  const before = calls.length
  far.connect(false)
  await far.arrive(1000)
  expect(calls.length).toBe(before + 1)
})

test("a tab can have the next attempt made now", async () => {
  await using page = await opened()
  const { calls } = spyOn(server, "watch").mock
  await far.cut()
  const before = calls.length
  page.hub.receive("tab", { type: "retry" })
  await settled()
  expect(calls.length).toBe(before + 1)
})

test("a tab that says hello gets everything, and the other tabs nothing of it", async () => {
  far = new Far()
  const heard: (string | undefined)[] = []
  const hub = new Hub((message, tab) => message.type === "state" && heard.push(tab))
  hub.receive("one", { type: "hello", visible: true })
  hub.receive("two", { type: "hello", visible: false })
  expect(heard).toEqual(["one", "two"])
  hub.close()
  await settled()
})
