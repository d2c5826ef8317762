import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test"

import { Hub } from "../../../src/dashboard/live/hub.ts"
import { StreamTrust } from "../../../src/dashboard/live/stream-trust.ts"
import { HubLine } from "../../../src/dashboard/live/tabs.ts"

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

const globals = { document: undefined, addEventListener: () => undefined, SharedWorker: undefined }
const before = Object.getOwnPropertyDescriptors(globalThis)
beforeEach(() => {
  jest.useFakeTimers()
  done = []
  tab = shown()
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
