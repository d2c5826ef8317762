import { describe, expect, test } from "bun:test"

import type { Answer, Patient } from "../../src/doctor/exchange.ts"
import { heldOf } from "../../src/doctor/held-answers.ts"
import { accountOf } from "../../src/doctor/requests.ts"
import { arrivalOf, idlenessOf } from "../../src/doctor/streams.ts"

const NOW_MS = Date.parse("2026-05-12T10:00:00.000Z")

/** What is found of a server that answers like this, on a machine whose clock shows `NOW_MS`. */
async function found<T>(
  answer: (path: string) => Response,
  find: (patient: Patient) => Promise<T>,
): Promise<T> {
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) => answer(new URL(url).pathname.slice("/api/v1".length)),
  })
  const settings = { token: undefined, patienceMs: 20_000, idleMs: 20_000, now: () => NOW_MS }
  return await find({ url: server.url, ...settings })
}

describe("the clock of a server", () => {
  const clockOf = async (timestamp: unknown) =>
    (await found(() => Response.json({ timestamp }), accountOf)).findings.at(-1)
  const shown = (offS: number): string => new Date(NOW_MS + offS * 1000).toISOString()

  test("that differs is said to be ahead or behind, and by how much", async () => {
    expect(await clockOf(shown(3600))).toMatchObject({
      fault: "clock_off",
      says: "the server's is 3600 s ahead of this machine's",
    })
    expect((await clockOf(shown(-3600)))?.says).toBe("the server's is 3600 s behind this machine's")
    expect(await clockOf(shown(0))).toMatchObject({ verdict: "good" })
  })

  test("that is not shown is unknown", async () => {
    expect(await clockOf(undefined)).toMatchObject({ about: "clock", verdict: "unknown" })
  })
})

test.each([429, 503])(
  "a stream that is refused with %d by no server of ours is one that a proxy limits",
  async (status) => {
    expect(await found(() => new Response("", { status }), arrivalOf)).toMatchObject([{ fault: "limited" }])
  },
)

test("a stream that is answered with another page is none of ours", async () => {
  expect(await found(() => new Response("", { status: 404 }), arrivalOf)).toMatchObject([
    { fault: "not_ours" },
  ])
})

describe("a stream on which nothing comes", () => {
  const patient = { idleMs: 20_000 } as const
  const idle = (text: string, end: Answer["end"]): Promise<Answer> =>
    Promise.resolve({ status: 200, headers: {}, text, headMs: 1, lastMs: 20_000, end, reason: "" })
  const verdictOf = async (text: string, end: Answer["end"]) => {
    const settings = { url: new URL("http://127.0.0.1"), token: undefined, patienceMs: 1, now: Date.now }
    return idlenessOf({ ...settings, ...patient }, idle(text, end))
  }
  const LIVE = "event: live\n\n"

  test("is cut if it ends, but not if the server was stopped", async () => {
    expect(await verdictOf(LIVE, "whole")).toMatchObject({ fault: "cut" })
    expect(await verdictOf(`${LIVE}event: shutdown\n\n`, "whole")).toMatchObject({ verdict: "unknown" })
  })

  test("is good with a keepalive, and without one it is lost", async () => {
    expect(await verdictOf(`${LIVE}: keepalive\n\n`, "late")).toMatchObject({ verdict: "good" })
    expect(await verdictOf(LIVE, "late")).toMatchObject({ fault: "keepalive_lost" })
  })
})

describe("an answer that waits until an item is finished", () => {
  const heldWith = (waited: () => Response) =>
    found(
      (path) => (path === "/queue" ? Response.json({ queue: [{ id: 7, completed_at: null }] }) : waited()),
      heldOf,
    )

  test("before the item is finished proves nothing: the server is about to stop", async () => {
    expect(await heldWith(() => Response.json({ id: 7, completed_at: null }))).toMatchObject({
      verdict: "unknown",
    })
  })

  test("of a finished item is good, and another page was not sent by the server", async () => {
    expect(await heldWith(() => Response.json({ id: 7, completed_at: "2026-05-12" }))).toMatchObject({
      verdict: "good",
    })
    expect(await heldWith(() => new Response("", { status: 504 }))).toMatchObject({ fault: "answer_cut" })
  })
})
