import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test"

import { Hub } from "../../../src/dashboard/live/hub.ts"
import { server } from "../../../src/dashboard/live/server.ts"
import { serveTabs } from "../../../src/dashboard/live/shared-worker.ts"
import { StreamTrust } from "../../../src/dashboard/live/stream-trust.ts"
import { HubLine } from "../../../src/dashboard/live/tabs.ts"
import type { FromHub, ToHub } from "../../../src/dashboard/model/hub-messages.ts"

const MINUTE_MS = 60_000

const shown = () => Object.assign(new EventTarget(), { visibilityState: "visible" })

/** A tab of a browser. */
let tab = shown()

/** What the tab does with its stream, in order. */
let done: string[] = []

function show(isShown: boolean): void {
  tab.visibilityState = isShown ? "visible" : "hidden"
  tab.dispatchEvent(new Event("visibilitychange"))
}

/** A worker that all tabs share, and that says nothing unless the test lets it. */
class Shared {
  static hear: (event: MessageEvent) => void = () => undefined
  readonly port = {
    addEventListener: (_: string, hear: (event: MessageEvent) => void) => (Shared.hear = hear),
    start: () => undefined,
    postMessage: () => undefined,
    close: () => void done.push("left"),
  }
}

/** What the window, or the worker, is listening to. */
let heard = new EventTarget()

/** What a page hears that comes back from the browser's memory. */
class Back extends Event {
  readonly persisted = true
}

const globals = {
  ...{ document: undefined, SharedWorker: undefined, PageTransitionEvent: Back },
  addEventListener: (type: string, hear: (event: Event) => void) => heard.addEventListener(type, hear),
}
const before = Object.getOwnPropertyDescriptors(globalThis)
beforeEach(() => {
  jest.useFakeTimers()
  done = []
  tab = shown()
  heard = new EventTarget()
  Object.assign(globalThis, globals, { document: tab })
  spyOn(StreamTrust.prototype, "run").mockResolvedValue()
  for (const name of ["pause", "wake"] as const)
    spyOn(Hub.prototype, name).mockImplementation(() => void done.push(name))
  spyOn(Hub.prototype, "receive").mockImplementation(() => undefined)
})
afterEach(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
  for (const name of Object.keys(globals)) {
    const old = Reflect.get(before, name)
    if (old) Object.defineProperty(globalThis, name, old)
    else Reflect.deleteProperty(globalThis, name)
  }
})

test("a tab that is hidden for five minutes gives its stream up, and one that was shown meanwhile keeps it", () => {
  const line = new HubLine(() => undefined)
  expect(line.holder).toBe("tab")
  show(false)
  jest.advanceTimersByTime(4 * MINUTE_MS)
  show(true)
  jest.advanceTimersByTime(10 * MINUTE_MS)
  expect(done).toEqual(["wake", "wake"])
  show(false)
  jest.advanceTimersByTime(5 * MINUTE_MS)
  expect(done.slice(2)).toEqual(["pause"])
  show(true)
  expect(done.slice(3)).toEqual(["wake"])
})

test("a shared worker that says nothing for eight seconds while the tab is shown is replaced by the tab itself", () => {
  Object.assign(globalThis, { SharedWorker: Shared })
  const line = new HubLine(() => undefined)
  jest.advanceTimersByTime(7500)
  Shared.hear(new MessageEvent("message", { data: {} }))
  jest.advanceTimersByTime(7500)
  show(false)
  jest.advanceTimersByTime(MINUTE_MS)
  show(true)
  jest.advanceTimersByTime(7500)
  expect([line.holder, done]).toEqual(["worker", []])
  jest.advanceTimersByTime(500)
  expect([line.holder, done]).toEqual(["tab", ["left", "wake"]])
})

test("a tab says to its worker what its reader wants, and leaves it when the reader leaves the page", () => {
  const said: string[] = []
  class Told {
    readonly port = {
      ...{ addEventListener: () => undefined, start: () => done.push("started") },
      postMessage: (message: ToHub) => said.push(Object.values(message).join(" ")),
      close: () => void done.push("left"),
    }
  }
  Object.assign(globalThis, { SharedWorker: Told })
  const line = new HubLine(() => undefined)
  show(false)
  line.more("finished")
  line.count()
  heard.dispatchEvent(new Event("online"))
  heard.dispatchEvent(new Event("pagehide"))
  expect(said).toEqual(["hello true", "visible false", "more finished", "count", "retry", "bye"])
  expect(done).toEqual(["started", "left"])
  // A page that is opened for the first time has its worker already.
  heard.dispatchEvent(new Event("pageshow"))
  expect(said.length).toBe(6)
})

test("a tab passes on what its hub says, and a page that comes back from the browser's memory is connected again", () => {
  const said = spyOn(Hub.prototype, "receive")
  const close = spyOn(Hub.prototype, "close")
  new HubLine(() => undefined)
  heard.dispatchEvent(new Event("pagehide"))
  expect(close).toHaveBeenCalledTimes(1)
  heard.dispatchEvent(new Back("pageshow"))
  expect(said.mock.calls).toEqual([
    ["this", { type: "hello", visible: true }],
    ["this", { type: "hello", visible: true }],
  ])
})

test("a shared worker answers each tab alone, tells all of them what happens, and forgets one that says bye", async () => {
  spyOn(Hub.prototype, "receive").mockRestore()
  spyOn(StreamTrust.prototype, "probe").mockResolvedValue(null)
  spyOn(server, "counts").mockRejectedValue(new Error("not asked for here"))
  const open = () => {
    const got: FromHub["type"][] = []
    const port = Object.assign(new EventTarget(), {
      postMessage: ({ type }: FromHub) => got.push(type),
      ...{ start: () => undefined, close: () => done.push("closed") },
    })
    const event = new MessageEvent("connect")
    Object.defineProperty(event, "ports", { value: [port] })
    heard.dispatchEvent(event)
    const say = (data: ToHub): boolean => port.dispatchEvent(new MessageEvent("message", { data }))
    return { got, say }
  }
  serveTabs()
  const [one, other] = [open(), open()]
  one.say({ type: "hello", visible: false })
  expect([one.got, other.got]).toEqual([["state"], []])
  jest.advanceTimersByTime(2000)
  expect([one.got, other.got]).toEqual([["state", "connection"], ["connection"]])
  one.say({ type: "bye" })
  jest.advanceTimersByTime(2000)
  expect([one.got.length, other.got.length, done]).toEqual([2, 2, ["closed"]])
})
