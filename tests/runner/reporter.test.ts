import { expect, setSystemTime, spyOn, test } from "bun:test"

import { Client, type Held, ServerError } from "../../src/client/client.ts"
import { FIRST, ITEM, LEASE, messages, ok, refusal, Scene } from "./reporting.ts"

test.each([
  // Once with all keys, and once with only the keys of older servers.
  ["cannot read", 422, ["unreadable", "unreadable", "readable"]],
  ["finds too large", 413, ["unreadable", "readable"]],
])("a report that the server %s is given up, and the next one is sent", async (_, status, sent) => {
  await using scene = new Scene(({ verb, body }) =>
    verb === "progress" && body.message === "unreadable" ? refusal(status, "invalid") : ok(),
  )
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "unreadable", current_step: "one" })
  await scene.until(() => scene.of("progress").length >= sent.length - 1)
  scene.reporter.push({ message: "readable", current_step: "two", basis: "counted" })
  await scene.until(() => messages(scene.of("progress")).includes("readable"))
  expect(messages(scene.of("progress"))).toEqual(sent)
  // The server is not taken for an older one, so it gets all keys.
  expect(scene.of("progress").at(-1)?.body).toMatchObject({ basis: "counted" })
  expect(scene.cancelled).toEqual([])
})

test("a report that is refused because the server is busy is sent again", async () => {
  let refusals = 2
  await using scene = new Scene(({ verb }) => {
    if (verb !== "progress") return new Promise<Response>(() => undefined)
    return refusals-- > 0 ? refusal(503, "unavailable") : ok()
  })
  await scene.reporter.begin()
  scene.reporter.start()
  const startedMs = performance.now()
  scene.reporter.push({ message: "kept" })
  await scene.until(() => scene.of("progress").length === 3)
  // The pauses between the tries are 100 and 200 ms, each varied by a quarter at most.
  expect(performance.now() - startedMs).toBeGreaterThan(200)
  scene.reporter.push({ message: "new" })
  await scene.until(() => scene.of("progress").length === 4)
  scene.reporter.push({ message: "newer" })
  await scene.until(() => scene.of("progress").length === 5)
  expect(messages(scene.of("progress"))).toEqual(["kept", "kept", "kept", "new", "newer"])
  expect(scene.said.filter((text) => text === "the server is back")).toHaveLength(1)
})

test("a lease is renewed when half of it is over, though the server could hold the answer for longer", async () => {
  await using scene = new Scene(ok, undefined, { leaseS: 10 })
  await scene.reporter.begin()
  scene.reporter.start()
  await scene.until(() => scene.of("heartbeat").length > 0)
  expect(scene.of("heartbeat")[0]?.wait).toBe("5")
})

test("after a standstill the lease is asked for once and at once, though an answer is still waited for", async () => {
  const waits: (string | null)[] = []
  const third = Promise.withResolvers<void>()
  await using scene = new Scene(({ wait }) => {
    if (waits.push(wait) === 3) third.resolve()
    return wait === "0" ? ok() : new Promise<Response>(() => undefined)
  })
  await scene.reporter.begin()
  scene.reporter.start()
  // The wall clock runs on while a machine is suspended.
  setSystemTime(Date.now() + 60_000)
  try {
    await third.promise
  } finally {
    setSystemTime()
  }
  expect(waits).toEqual(["20", "0", "20"])
  expect(scene.reporter.confirmations).toBe(1)
  expect(scene.cancelled).toEqual([])
  expect(scene.said).toEqual([])
})

test("a result is reported even if no time is given for it and the server answers slowly", async () => {
  await using scene = new Scene(async ({ verb }) => {
    if (verb === "complete") await Bun.sleep(200)
    return ok()
  })
  await scene.reporter.begin()
  const verdict = { end: "complete", result: {} } as const
  expect(await scene.reporter.finish(verdict, 0, AbortSignal.abort())).toBe("delivered")
})

test("work that was cancelled does not claim its item again when its lease is lost", async () => {
  await using scene = new Scene(({ verb }) =>
    verb === "heartbeat" ? Response.json({ directive: "cancel", item: ITEM }) : refusal(409, "lease_lost"),
  )
  await scene.reporter.begin()
  scene.reporter.start()
  await scene.until(() => scene.cancelled.length > 0)
  const verdict = { end: "fail", failure: { error_message: "stopped" } } as const
  expect(await scene.reporter.finish(verdict, 5000, new AbortController().signal)).toBe("refused")
  expect(scene.of("claim")).toEqual([])
})

test("the late word that the first lease was lost does not end the second one", async () => {
  const late = Promise.withResolvers<void>()
  await using scene = new Scene(async ({ verb, token }) => {
    if (verb === "claim") return Response.json({ item: ITEM, lease: LEASE })
    if (token !== "first") return ok()
    if (verb === "heartbeat") await late.promise
    return refusal(409, "lease_lost")
  })
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "before" })
  await scene.until(() => scene.of("progress").some(({ token }) => token === "second"))
  late.resolve()
  await scene.until(() => scene.of("heartbeat").some(({ token }) => token === "second"))
  scene.reporter.push({ message: "after" })
  await scene.until(() => messages(scene.of("progress")).includes("after"))
  expect(scene.of("claim")).toHaveLength(1)
  expect(scene.of("progress").at(-1)).toMatchObject({ token: "second", body: { message: "after" } })
  expect(scene.reporter.held).toEqual({ id: 7, token: "second" })
  expect(scene.cancelled).toEqual([])
})

test("after a restore, a worker claims its item until it may have it", async () => {
  let refusals = 2
  await using scene = new Scene(({ verb, token }) => {
    if (verb === "claim" && refusals > 0) {
      refusals -= 1
      return refusal(409, "leased")
    }
    if (verb === "claim") return Response.json({ item: ITEM, lease: LEASE })
    return token === "first" ? refusal(409, "lease_lost") : ok()
  })
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "kept" })
  await scene.until(() =>
    messages(scene.of("progress").filter(({ token }) => token === "second")).includes("kept"),
  )
  expect(refusals).toBe(0)
})

test("a result that is answered with 403 is sent again within the given time, and no longer", async () => {
  await using scene = new Scene(({ verb }) => (verb === "complete" ? refusal(403, "forbidden") : ok()))
  await scene.reporter.begin()
  const verdict = { end: "complete", result: {} } as const
  const startedMs = performance.now()
  expect(await scene.reporter.finish(verdict, 200, new AbortController().signal)).toBe("pending")
  // After such an answer it pauses for ten seconds if there is time.
  expect(performance.now() - startedMs).toBeLessThan(8000)
}, 180_000)

test("a cancel is acted on once, however often the server says it", async () => {
  await using scene = new Scene(() => Response.json({ directive: "cancel", item: ITEM }))
  await scene.reporter.begin()
  scene.reporter.start()
  await scene.until(() => scene.of("heartbeat").length === 1)
  scene.reporter.push({ message: "still here" })
  await scene.until(() => scene.of("progress").length === 1 && scene.cancelled.length > 0)
  expect(await scene.reporter.takeOver({ item: ITEM, lease: LEASE }, () => true)).toBe(false)
  await scene.reporter.finish({ end: "release" }, 1000, AbortSignal.abort())
  expect(scene.cancelled).toEqual(["queue item 7 was cancelled"])
})

test("after a cancel the lease is renewed slowly, though the server answers at once, and before it runs out", async () => {
  const cancel = (): Response => Response.json({ directive: "cancel", item: ITEM })
  await using scene = new Scene(cancel)
  await using short = new Scene(cancel, undefined, { leaseS: 6 })
  const startedMs = performance.now()
  for (const { reporter } of [scene, short]) {
    await reporter.begin()
    reporter.start()
  }
  await scene.until(() => scene.cancelled.length > 0)
  // This is long enough for several pauses between two held heartbeats.
  await Bun.sleep(400)
  expect(scene.of("heartbeat")).toHaveLength(1)
  await short.until(() => short.of("heartbeat").length === 2)
  expect(performance.now() - startedMs).toBeLessThan(6000)
})

test("a claim whose answer was lost is tried again until its lease has run out, and reports go on then", async () => {
  const answers: (() => Held)[] = [
    () => {
      throw new ServerError(0, "no answer came")
    },
    () => {
      throw new ServerError(409, "queue item 7 is processing", { code: "illegal_move" })
    },
    () => FIRST,
  ]
  await using scene = new Scene(ok, async () => answers.shift()?.() ?? FIRST)
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "kept" })
  await scene.until(() => messages(scene.of("progress")).includes("kept"))
  expect(scene.said.join()).toContain("the claim is tried again")
})

test("the verdict waits for the report that is being sent, and comes after it if that must be sent again", async () => {
  const [arrived, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<Response>()]
  let isFirst = true
  await using scene = new Scene(({ verb }) => {
    if (verb !== "progress" || !isFirst) return ok()
    isFirst = false
    arrived.resolve()
    return answered.promise
  })
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "the last" })
  await arrived.promise
  const over = scene.reporter.finish({ end: "complete", result: {} }, 20_000, new AbortController().signal)
  for (let tick = 0; tick < 10; tick += 1) await new Promise(setImmediate)
  answered.resolve(refusal(503, "unavailable"))
  expect(await over).toBe("delivered")
  const told = scene.asked.filter(({ verb }) => verb !== "heartbeat")
  expect(told.map(({ verb }) => verb)).toEqual(["progress", "progress", "complete"])
  expect(messages(scene.of("progress"))).toEqual(["the last", "the last"])
}, 180_000)

test("the verdict waits for the last output, though the last report has come", async () => {
  using print = spyOn(Client.prototype, "print")
  print.mockRejectedValueOnce(new ServerError(0, "the connection was lost"))
  await using scene = new Scene(({ verb }) =>
    verb === "output" ? Response.json({ attempt: 1, end: 9 }) : ok(),
  )
  await scene.reporter.begin()
  scene.reporter.print(new TextEncoder().encode("the last\n"), 1)
  const verdict = { end: "complete", result: {} } as const
  expect(await scene.reporter.finish(verdict, 5000, new AbortController().signal)).toBe("delivered")
  expect(scene.asked.map(({ verb }) => verb)).toEqual(["output", "complete"])
})

test("who stops the tries to report a result waits no longer for a server that does not answer", async () => {
  const never = new Promise<Response>(() => undefined)
  await using scene = new Scene(({ verb }) => (verb === "fail" ? never : ok()))
  await scene.reporter.begin()
  const stopping = new AbortController()
  const verdict = { end: "fail", failure: { error_message: "stopped" } } as const
  const ending = scene.reporter.finish(verdict, 60_000, stopping.signal)
  stopping.abort()
  expect(await Promise.race([ending, Bun.sleep(30_000)])).toBe("pending")
})

test("the last report of a lent item keeps the command that waits for it no longer than a few seconds", async () => {
  const never = new Promise<Response>(() => undefined)
  await using scene = new Scene(() => never, undefined, { isLent: true })
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "the last" })
  const startedMs = performance.now()
  const ending = scene.reporter.finish(undefined, 60_000, new AbortController().signal)
  expect(await ending).toBe("pending")
  expect(performance.now() - startedMs).toBeLessThan(15_000)
}, 180_000)

test("the lease of a lent item is ended only by the command that lent it", async () => {
  await using scene = new Scene(ok, undefined, { isLent: true })
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "the last" })
  const verdicts = [
    { end: "complete", result: {} },
    { end: "fail", failure: { error_message: "broken" } },
    { end: "release" },
  ] as const
  for (const verdict of verdicts)
    expect(await scene.reporter.finish(verdict, 5000, new AbortController().signal)).toBe("delivered")
  expect(messages(scene.of("progress"))).toEqual(["the last"])
  expect(["complete", "fail", "release", "heartbeat"].flatMap((verb) => scene.of(verb))).toEqual([])
})

test("an older server is asked once about keys that it does not know, and then gets those that it does", async () => {
  await using scene = new Scene(({ verb, body }) =>
    verb === "progress" && "basis" in body ? refusal(422, "invalid") : ok(),
  )
  await scene.reporter.begin()
  scene.reporter.start()
  const known = {
    progress: 5,
    step: { index: 1, total: 3, name: "Video" },
    unit: { done: 1, total: 9, name: "frames" },
    media: { out_time: 1, total: 2, fps: 24, speed: 1 },
  }
  for (const step of ["one", "two", "three"])
    scene.reporter.push({ message: step, current_step: step, basis: "counted", ...known })
  await scene.until(() => messages(scene.of("progress")).includes("three"))
  const last: object | undefined = scene.of("progress").at(-1)?.body
  expect(last).toEqual({ message: "three", current_step: "three", ...known })
  expect(messages(scene.of("progress"))).toEqual(["one", "one", "two", "three"])
})

for (const status of [401, 403]) {
  // It sends the request again after ten seconds.
  test.concurrent(
    `a server that answers ${status} keeps no result from being reported later`,
    async () => {
      let isDenied = true
      await using scene = new Scene(() =>
        isDenied ? refusal(status, status === 401 ? "unauthorized" : "forbidden") : ok(),
      )
      await scene.reporter.begin()
      scene.reporter.start()
      const over = scene.reporter.finish(
        { end: "complete", result: {} },
        60_000,
        new AbortController().signal,
      )
      await scene.until(() => scene.of("complete").length === 1)
      isDenied = false
      expect(await over).toBe("delivered")
      expect(scene.said.join("\n")).toContain("once the server allows it")
      expect(scene.cancelled).toEqual([])
    },
    180_000,
  )
}
