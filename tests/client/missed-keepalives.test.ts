import { describe, expect, spyOn, test } from "bun:test"

import { Client, type Watched } from "../../src/client/client.ts"
import { MissedKeepalives, pause, Rhythm } from "../../src/client/missed-keepalives.ts"
import { start } from "../server.ts"

describe("how long a stream may be silent", () => {
  test("is two of the server's default keepalives and 5 s, before one has come", () => {
    expect(new Rhythm().limitMs).toBe(35_000)
  })

  test("is two of its own keepalives and 5 s, once it is known how far apart they are", () => {
    const rhythm = new Rhythm()
    rhythm.learn(1000)
    expect(rhythm.limitMs).toBe(7000)
    // A keepalive that was delivered late proves nothing about the ones before.
    rhythm.learn(200)
    expect(rhythm.limitMs).toBe(7000)
    rhythm.learn(600_000)
    expect(rhythm.limitMs).toBe(109_000)
  })

  test("is the longest that a server can be set to, once the default time has given up a living server", () => {
    const rhythm = new Rhythm()
    rhythm.doubt()
    expect(rhythm.limitMs).toBe(109_000)
    rhythm.learn(30_000)
    expect(rhythm.limitMs).toBe(65_000)
  })
})

test.concurrent(
  "a server that is frozen is reported as offline after two keepalives and 5 s, one that waits for its reader is not",
  async () => {
    await using server = await start({ args: ["--keepalive-ms", "20"] })
    await server.add()
    const stop = new AbortController()
    const client = new Client(server.url)
    let heard = 0
    const heardOften = Promise.withResolvers<void>()
    const onHeard = (): void => {
      heard += 1
      if (heard === 20) heardOften.resolve()
    }
    const watching = async (atLive: () => Promise<void>): Promise<Watched | undefined> => {
      for await (const said of client.watch({ signal: stop.signal, onHeard })) {
        if (said.type === "offline") return said
        if (said.type !== "update") await atLive()
      }
      return undefined
    }
    const frozen = watching(() => Promise.resolve())
    // This reader is busy while the server is frozen, and longer than any silence may last.
    const busy = watching(async () => {
      await frozen
    })
    // Keepalives are heard though they say nothing.
    await heardOften.promise
    server.child.kill("SIGSTOP")
    const startedMs = performance.now()
    const offline = await frozen
    const waitedMs = performance.now() - startedMs
    expect(offline).toMatchObject({
      type: "offline",
      status: 0,
      reason: "nothing came from the server for 5 s",
    })
    expect(waitedMs).toBeGreaterThan(4900)
    expect(waitedMs).toBeLessThan(8000)
    server.child.kill("SIGCONT")
    await server.put(1, { progress: 5 })
    await server.connectedClients(1)
    stop.abort()
    expect(await busy).toBeUndefined()
  },
  180_000,
)

test.concurrent(
  "a connection is silent while bytes are waited for, and not while the caller is busy with the last ones",
  async () => {
    const doubted: string[] = []
    const open = (name: string): MissedKeepalives => {
      const rhythm = new Rhythm()
      rhythm.learn(1)
      spyOn(rhythm, "doubt").mockImplementation(() => void doubted.push(name))
      const silence = new MissedKeepalives(undefined, rhythm)
      silence.opened()
      silence.wait()
      silence.heard()
      return silence
    }
    const [busy, waiting] = [open("busy"), open("waiting")]
    waiting.wait()
    await new Promise((resolve) => waiting.signal.addEventListener("abort", resolve))
    expect(waiting.signal.reason).toMatchObject({ message: "nothing came from the server for 5 s" })
    // Perhaps the server only sends keepalives more seldom than was assumed.
    expect(doubted).toEqual(["waiting"])
    // Otherwise the timers of both would have ended at the same time.
    await Bun.sleep(100)
    expect(busy.signal.aborted).toBe(false)
    busy.end()
    waiting.end()
  },
  180_000,
)

test("a pause ends at its time or with its signal, and leaves nothing at the signal or at the network", async () => {
  using heard = spyOn(globalThis, "addEventListener")
  using unheard = spyOn(globalThis, "removeEventListener")
  for (const ms of [0, 600_000]) {
    const leave = new AbortController()
    const [adding, removing] = [
      spyOn(leave.signal, "addEventListener"),
      spyOn(leave.signal, "removeEventListener"),
    ]
    const over = pause(ms, leave.signal)
    if (ms > 0) leave.abort()
    await over
    expect(removing.mock.calls.map(([, listener]) => listener)).toEqual(
      adding.mock.calls.map(([, listener]) => listener),
    )
    expect(adding).toHaveBeenCalledTimes(1)
  }
  await pause(600_000, AbortSignal.abort())
  expect(heard.mock.calls.map(([type]) => type)).toEqual(["online", "online"])
  expect(unheard.mock.calls).toEqual(heard.mock.calls)
})

test("a connection is aborted when its caller leaves, for the caller's reason", () => {
  const caller = new AbortController()
  const watch = new MissedKeepalives(caller.signal, new Rhythm())
  expect(watch.signal.aborted).toBe(false)
  caller.abort("left")
  expect([watch.signal.aborted, watch.signal.reason]).toEqual([true, "left"])
  watch.end()
})

test("a connection that has ended is aborted, and no longer listens for the network", () => {
  const [adding, removing] = [spyOn(globalThis, "addEventListener"), spyOn(globalThis, "removeEventListener")]
  try {
    const watch = new MissedKeepalives(undefined, new Rhythm())
    watch.end()
    expect(adding.mock.calls.map(([type]) => type)).toEqual(["online"])
    expect(removing.mock.calls.map(([, listener]) => listener)).toEqual(
      adding.mock.calls.map(([, listener]) => listener),
    )
    expect(watch.signal.aborted).toBe(true)
  } finally {
    adding.mockRestore()
    removing.mockRestore()
  }
})

test("the time that a server takes to answer does not count as a distance between keepalives", () => {
  let nowMs = performance.now()
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const rhythm = new Rhythm()
  const watch = new MissedKeepalives(undefined, rhythm)
  nowMs += 8000
  watch.opened()
  watch.wait()
  nowMs += 1000
  watch.heard(true)
  expect(rhythm.limitMs).toBe(7000)
  watch.end()
})
