import { expect, setSystemTime, spyOn, test } from "bun:test"

import { ServerError } from "../../src/client/client.ts"
import { OutputSender } from "../../src/runner/output-sender.ts"
import { watchSuspension } from "../../src/runner/suspended-machine.ts"
import { type Asked, FIRST, ITEM, LEASE, ok, refusal, Scene } from "./reporting.ts"

const UNREACHABLE = { code: "unreachable" }

test("a server that is away when the work begins is reported at once, and the work goes on", async () => {
  await using scene = new Scene(ok, () => Promise.reject(new ServerError(0, "no answer", UNREACHABLE)))
  await scene.reporter.begin()
  expect(scene.said).toEqual([
    "no answer; rendering continues, and progress is reported once the server is back",
  ])
  expect(scene.reporter.held).toBeUndefined()
})

test("a server that denies access after it was away is said to do so, and once", async () => {
  let refusals = 0
  await using scene = new Scene(({ verb }) => {
    if (verb !== "progress") return new Promise<Response>(() => undefined)
    return (refusals += 1) < 3 ? refusal(503, "unavailable") : refusal(403, "forbidden")
  })
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "kept" })
  await scene.until(() => scene.said.length === 2)
  expect(refusals).toBe(3)
  expect(scene.said[1]).toEndWith("once the server allows it")
})

test("an item that is refused when the work begins is an error", async () => {
  const refused = new ServerError(404, "no such item", { code: "not_found" })
  await using scene = new Scene(ok, () => Promise.reject(refused))
  await expect(scene.reporter.begin()).rejects.toBe(refused)
})

test("reports, heartbeats and output that all lack a lease claim the item once", async () => {
  let claims = 0
  await using scene = new Scene(ok, async () => {
    claims += 1
    await Bun.sleep(100)
    return FIRST
  })
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.of("progress").length > 0 && scene.of("heartbeat").length > 0)
  expect(claims).toBe(1)
})

test("after a lost lease the item is claimed again, and the user and the worker are informed", async () => {
  const again: string[] = []
  await using scene = new Scene(
    ({ verb, token }) => {
      if (verb === "claim") return Response.json({ item: ITEM, lease: LEASE })
      return token === "first" ? refusal(409, "lease_lost") : ok()
    },
    undefined,
    { onClaimedAgain: ({ lease }) => again.push(lease.token) },
  )
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.of("progress").some(({ token }) => token === "second"))
  expect(again).toEqual(["second"])
  expect(scene.said).toEqual(["the lease of queue item 7 is no longer in force; claimed the item again"])
})

test.each([
  [410, "gone", "refused by the test"],
  [409, "illegal_move", "refused by the test, at once"],
])("work on an item that is answered %d, %s, is stopped with the reason", async (status, code, cancelled) => {
  await using scene = new Scene(({ verb }) => (verb === "progress" ? refusal(status, code) : ok()))
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.cancelled.length > 0)
  expect([scene.cancelled, scene.said]).toEqual([[cancelled], []])
  const verdict = { end: "complete", result: {} } as const
  expect(await scene.reporter.finish(verdict, 5000, new AbortController().signal)).toBe("refused")
  expect(scene.of("complete")).toEqual([])
})

test("an unexpected refusal ends the reports but not the work, and is shown to the user", async () => {
  await using scene = new Scene(() => refusal(400, "malformed_request"))
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.of("progress").length > 0)
  const verdict = { end: "complete", result: {} } as const
  expect(await scene.reporter.finish(verdict, 5000, new AbortController().signal)).toBe("refused")
  expect(scene.cancelled).toEqual([])
  expect(scene.said[0]).toBe("refused by the test; rendering continues without reports")
})

test("a lent item that is lost, cancelled or gone is the matter of the command that lent it", async () => {
  for (const answer of [
    () => refusal(409, "lease_lost"),
    () => refusal(410, "gone"),
    () => Response.json({ directive: "cancel", item: ITEM }),
  ]) {
    await using scene = new Scene(answer, undefined, { isLent: true })
    await scene.reporter.begin()
    scene.reporter.start()
    scene.reporter.push({ message: "one" })
    await scene.reporter.finish(undefined, 5000, new AbortController().signal)
    expect([scene.said, scene.cancelled, scene.of("claim").length]).toEqual([[], [], 0])
  }
})

test("a worker that may take no more items is informed, and its work goes on", async () => {
  let drains = 0
  const drained = (): Response => Response.json({ directive: "continue", item: ITEM, drain: true })
  await using scene = new Scene(drained, undefined, { onDrain: () => (drains += 1) })
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.of("progress").length > 0)
  while (drains === 0) await Bun.sleep(5)
  expect(scene.cancelled).toEqual([])
})

test("the reader around a command marks its reports, and a lent item has its output sent by the outer one", async () => {
  for (const [more, outer, outputs] of [
    [{}, undefined, 1],
    [{ isOuter: true }, true, 1],
    [{ isLent: true }, undefined, 0],
  ] as const) {
    const printed = ({ verb }: Asked): Response =>
      verb === "output" ? Response.json({ attempt: 1, end: 4 }) : ok()
    await using scene = new Scene(printed, undefined, more)
    await scene.reporter.begin()
    scene.reporter.start()
    scene.reporter.push({ message: "one" })
    scene.reporter.print(new TextEncoder().encode("one\n"), 1)
    await scene.reporter.finish(undefined, 5000, new AbortController().signal)
    expect(scene.of("progress").map(({ body }) => [body.outer, body.message])).toEqual([[outer, "one"]])
    expect(scene.of("output")).toHaveLength(outputs)
  }
})

test("output waits as long as its sender says, however much of it comes", async () => {
  const sentMs: number[] = []
  using _send = spyOn(OutputSender.prototype, "send").mockImplementation(async () => {
    sentMs.push(performance.now())
    return 600
  })
  using _finish = spyOn(OutputSender.prototype, "finish").mockResolvedValue()
  await using scene = new Scene(ok)
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.print(Buffer.from("a line\n"), 1)
  while (sentMs.length < 2) await Bun.sleep(10)
  expect((sentMs[1] ?? 0) - (sentMs[0] ?? 0)).toBeGreaterThan(590)
})

test("all steps that wait are reported before the result, in their order", async () => {
  await using scene = new Scene(ok)
  await scene.reporter.begin()
  scene.reporter.start()
  for (const step of ["one", "two", "three"]) scene.reporter.push({ message: step, current_step: step })
  const verdict = { end: "complete", result: {} } as const
  expect(await scene.reporter.finish(verdict, 5000, new AbortController().signal)).toBe("delivered")
  const told = scene.asked.filter(({ verb }) => verb !== "heartbeat")
  expect(told.map(({ verb, body }) => body.message ?? verb)).toEqual(["one", "two", "three", "complete"])
})

test("once the item is gone nothing more is asked, and a lent item is renewed by the one that lent it", async () => {
  await using scene = new Scene(({ verb }) => (verb === "progress" ? refusal(410, "gone") : ok()))
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.cancelled.length > 0)
  // The request that was under way at that moment is answered first.
  await Bun.sleep(300)
  const { length } = scene.asked
  scene.reporter.push({ message: "two" })
  await Bun.sleep(300)
  expect(scene.asked.length).toBe(length)
  await using lent = new Scene(ok, undefined, { isLent: true })
  await lent.reporter.begin()
  lent.reporter.start()
  await Bun.sleep(300)
  expect(lent.asked).toEqual([])
})

test.each([401, 403])("a server that answers %d is not asked again within a second", async (status) => {
  await using scene = new Scene(() => refusal(status, "denied"))
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.of("progress").length > 0 && scene.of("heartbeat").length > 0)
  await Bun.sleep(500)
  expect([scene.of("progress").length, scene.of("heartbeat").length]).toEqual([1, 1])
})

test("a claim that is tried again is announced once", async () => {
  let tries = 0
  const refused = new ServerError(409, "it is processing", { code: "illegal_move" })
  await using scene = new Scene(ok, async () => {
    tries += 1
    if (tries < 4) throw refused
    return FIRST
  })
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.of("progress").length > 0)
  expect(scene.said).toEqual(["it is processing; rendering continues, and the claim is tried again"])
})

test("each claim after a lost lease shows the lease that was held last", async () => {
  const tokens = ["second", "third"]
  const shown: string[] = []
  await using scene = new Scene(({ verb, token }) => {
    if (verb === "claim") {
      shown.push(token)
      const item = { ...ITEM, attempt: shown.length }
      return Response.json({ item, lease: { ...LEASE, token: tokens.shift() ?? "" } })
    }
    return token === "third" ? ok() : refusal(409, "lease_lost")
  })
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.of("progress").some(({ token }) => token === "third"))
  expect(shown).toEqual(["first", "second"])
})

test("an item of which another attempt has begun and ended meanwhile goes back, and its work is stopped", async () => {
  const taken: boolean[] = []
  await using scene = new Scene(
    ({ verb, token }) => {
      if (verb === "claim") return Response.json({ item: { ...ITEM, attempt: 3 }, lease: LEASE })
      return token === "first" ? refusal(409, "lease_lost") : ok()
    },
    undefined,
    { begun: () => ({ attempt: 1 }), onCancel: (_, isTaken) => void taken.push(isTaken) },
  )
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  const verdict = { end: "complete", result: {} } as const
  expect(await scene.reporter.finish(verdict, 5000, new AbortController().signal)).toBe("refused")
  expect(scene.of("release")).toMatchObject([{ token: "second" }])
  expect(scene.of("complete")).toMatchObject([])
  expect(taken).toEqual([true])
})

test("the item of another song that has the number in a new queue is not claimed, and the work goes on", async () => {
  await using scene = new Scene(
    ({ verb }) => (verb === "7" ? Response.json({ ...ITEM, attempt: 1 }) : refusal(409, "lease_lost")),
    undefined,
    { begun: () => ({ attempt: 1, queued_at: "2025-12-31T00:00:00.000Z" }) },
  )
  await scene.reporter.begin()
  scene.reporter.start()
  await scene.until(() => scene.said.length > 0)
  const verdict = { end: "complete", result: {} } as const
  expect(await scene.reporter.finish(verdict, 1000, new AbortController().signal)).toBe("pending")
  expect([scene.of("claim"), scene.cancelled]).toEqual([[], []])
  expect(scene.said[0]).toContain("in which queue item 7 is another one; rendering continues")
})

test("a second claim whose answer is lost holds the item until its lease is over, and then the work goes on", async () => {
  const claims: number[] = []
  await using scene = new Scene(
    ({ verb, token }) => {
      if (verb === "claim") {
        claims.push(performance.now())
        if (claims.length === 1) return new Response('{"item":')
        if (claims.length < 4) return refusal(409, "illegal_move")
        return Response.json({ item: { ...ITEM, attempt: 3 }, lease: LEASE })
      }
      return token === "first" ? refusal(409, "lease_lost") : ok()
    },
    undefined,
    { begun: () => ({ attempt: 1 }), leaseS: 4 },
  )
  await scene.reporter.begin()
  scene.reporter.start()
  scene.reporter.push({ message: "one" })
  await scene.until(() => scene.of("progress").some(({ token }) => token === "second"))
  expect(scene.cancelled).toEqual([])
})

test("that the lease is ours is confirmed by the answer to that question, and by no heartbeat before", async () => {
  await using scene = new Scene(ok)
  await scene.reporter.begin()
  scene.reporter.start()
  await scene.until(() => scene.of("heartbeat").length > 2)
  expect(scene.reporter.confirmations).toBe(0)
  scene.reporter.ask()
  await scene.until(() => scene.of("heartbeat").findIndex(({ wait }) => wait === "0") > 0)
  const { length } = scene.of("heartbeat")
  await scene.until(() => scene.of("heartbeat").length > length)
  expect(scene.reporter.confirmations).toBe(1)
})

test("a standstill after the work is over does not concern it any more", async () => {
  await using scene = new Scene(ok)
  await scene.reporter.begin()
  scene.reporter.start()
  await scene.reporter.finish(undefined, 0, AbortSignal.abort())
  using asked = spyOn(scene.reporter, "ask")
  const woken = Promise.withResolvers<void>()
  const watch = watchSuspension(woken.resolve)
  setSystemTime(Date.now() + 60_000)
  try {
    await woken.promise
  } finally {
    setSystemTime()
  }
  expect(asked).not.toHaveBeenCalled()
  await watch.stop()
})

test("a command inside another one tries to report for five seconds at most, and its item stays as it is", async () => {
  const real = performance.now.bind(performance)
  let passedMs = 0
  using _clock = spyOn(performance, "now").mockImplementation(() => real() + passedMs)
  const answer = (): Response => {
    const isFirst = passedMs === 0
    passedMs = 6000
    return isFirst ? refusal(503, "unavailable") : ok()
  }
  await using scene = new Scene(answer, undefined, { isLent: true })
  scene.reporter.push({ message: "the last one" })
  const verdict = { end: "complete", result: {} } as const
  expect(await scene.reporter.finish(verdict, 60_000, new AbortController().signal)).toBe("pending")
  expect(scene.asked).toHaveLength(1)
})
