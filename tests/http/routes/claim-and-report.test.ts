import { expect, test } from "bun:test"

import { type Caller, EVERYBODY } from "../../../src/access/authorize.ts"
import { type AppParts, createApp } from "../../../src/http/app.ts"
import { UNPROTECTED } from "../unprotected.ts"

const CLAIMED = { item: {}, lease: { token: "t", expires_at: "2026-01-02T03:04:05.678Z", renew_every: 20 } }

/** An app whose workers get what they ask for. `asked` is what the claims were passed on as. */
function claiming() {
  const asked: Record<string, unknown>[] = []
  const pass = (how: string) => (id: unknown, more?: unknown) => {
    asked.push({ how, ...Object(id), ...(how === "take" && { id, ...Object(more) }) })
    return Promise.resolve(CLAIMED)
  }
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    ...{ host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" },
    ...UNPROTECTED,
    authorizer: {
      caller: ({ authorization }: { readonly authorization: string | null }): Caller =>
        authorization === null
          ? EVERYBODY
          : ({ ...EVERYBODY, client: "c", token: { id: Number(authorization) } } as Caller),
    },
    workers: { claim: pass("claim"), take: pass("take"), claimedBefore: pass("before") },
  }
  const app = createApp(parts as AppParts)
  const claim = async (
    body: object,
    headers: Record<string, string> = {},
  ): Promise<Record<string, unknown>> => {
    const all = { "content-type": "application/json", host: "127.0.0.1", ...headers }
    const request = { method: "POST", headers: all, body: JSON.stringify(body) }
    const answer = await app.handle(new Request("http://127.0.0.1/api/v1/queue/claim", request))
    expect([answer.status, await answer.json()]).toEqual([200, CLAIMED])
    return asked.at(-1) ?? {}
  }
  return { claim, asked }
}

test("a claim is the repetition of another one only if token, worker, item and key are the same", async () => {
  const { claim } = claiming()
  const keyOf = async (token: string, body: object, key: string): Promise<unknown> =>
    (await claim(body, { authorization: token, "idempotency-key": key }))["key"]
  const one = { worker: "w" }
  const keys = [
    await keyOf("1", one, "k"),
    await keyOf("2", one, "k"),
    await keyOf("1", { worker: "v" }, "k"),
    await keyOf("1", { worker: "w", id: 7 }, "k"),
    await keyOf("1", one, "l"),
  ]
  expect(new Set(keys).size).toBe(keys.length)
  expect(await keyOf("1", one, "k")).toBe(keys[0])
  expect((await claim(one))["key"]).toBeUndefined()
})

test("all that a claim says of its worker is passed on, with times in milliseconds", async () => {
  const { claim } = claiming()
  const about = { worker: "w", kind: "k", totals: { units: 3 } }
  const headers = { authorization: "5", lease: "former" }
  const known = { worker: "w", kind: "k", totals: { units: 3 }, holder: 5 }
  const more = { tags: ["gpu"], version: "1.2", instance: "i" }
  // The lease belongs to another item, as in headers that a client sends with each request.
  expect(await claim({ ...about, ...more, lease: 90 }, headers)).toMatchObject({
    ...{ ...known, ...more, how: "claim", leaseMs: 90_000, former: undefined, client: "c" },
  })
  expect(await claim({ worker: "w" })).toMatchObject({ leaseMs: 60_000, tags: [], holder: undefined })
  expect(await claim({ ...about, id: 7 }, headers)).toMatchObject({
    ...known,
    how: "take",
    id: 7,
    former: "former",
  })
  const again = { ...headers, "idempotency-key": "k" }
  expect(await claim({ ...about, again: true }, again)).toMatchObject({ ...known, how: "before" })
})

/**
 * An app in which one worker holds item 7. `asked` is what it passes on, in order. `directives` are found at the changes
 * of the item, and `onChange` is called at each.
 */
function working(directives: string[] = [], onChange = (): void => undefined) {
  const asked: unknown[][] = []
  const standing = { directive: "continue", item: {}, expiresAt: null, leaseMs: 60_000, isDraining: false }
  const pass =
    (how: string) =>
    async (...all: unknown[]) => {
      asked.push([how, ...all])
      return standing
    }
  const workers = {
    ...Object.fromEntries(
      ["heartbeat", "report", "complete", "fail", "release"].map((verb) => [verb, pass(verb)]),
    ),
    async look(...all: unknown[]) {
      asked.push(["look", ...all])
      onChange()
      return directives.shift() ?? "continue"
    },
  }
  const streams = {
    // Three changes of the item come while the answer is held.
    async *changes(id: number, signal: AbortSignal): AsyncGenerator<void> {
      asked.push(["changes", id, signal.aborted])
      for (let change = 0; change < 3 && !signal.aborted; change += 1) yield
    },
  }
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    ...{ host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" },
    ...UNPROTECTED,
    ...{ workers, streams },
  }
  const app = createApp(parts as AppParts)
  const say = async (verb: string, body: object, signal?: AbortSignal): Promise<unknown> => {
    const headers = { "content-type": "application/json", host: "127.0.0.1", lease: "t" }
    const request = { method: "POST", headers, body: JSON.stringify(body), ...(signal && { signal }) }
    return (await app.handle(new Request(`http://127.0.0.1/api/v1/queue/7/${verb}`, request))).json()
  }
  return { say, asked }
}

test("a held heartbeat renews its lease, looks at the item at each change until it must stop, and renews it again", async () => {
  const beat = ["heartbeat", 7, "t"]
  const [look, changes] = [
    ["look", 7, "t"],
    ["changes", 7, false],
  ]
  const { say, asked } = working()
  expect(await say("heartbeat?wait=20", {})).toEqual({ directive: "continue", item: {} })
  expect(asked).toEqual([beat, changes, look, look, look, beat])
  const cancelled = working(["continue", "cancel"])
  await cancelled.say("heartbeat?wait=20", {})
  expect(cancelled.asked).toEqual([beat, changes, look, look, beat])
  // The lease of a worker that is gone is not renewed.
  const gone = new AbortController()
  const left = working([], () => gone.abort())
  await left.say("heartbeat?wait=20", {}, gone.signal)
  expect(left.asked).toEqual([beat, changes, look])
  const short = working()
  await short.say("heartbeat", {})
  expect(short.asked).toEqual([beat])
})

test("what a worker says of its item is passed on whole, with times in milliseconds", async () => {
  const { say, asked } = working()
  await say("progress", { progress: 5 })
  await say("complete", { message: "done" })
  await say("fail", { error_message: "no", retryable: false, retry_in: 90, cancelled: true })
  await say("fail", {})
  await say("release", {})
  expect(asked).toEqual([
    ["report", 7, "t", { progress: 5 }],
    ["complete", 7, "t", { message: "done" }],
    ["fail", 7, "t", { error_message: "no", retryable: false, retryInMs: 90_000, isCancelled: true }],
    ["fail", 7, "t", { error_message: "", retryable: true, retryInMs: undefined, isCancelled: false }],
    ["release", 7, "t"],
  ])
})
