import { expect, test } from "bun:test"

import { type Client, ServerError } from "../../src/client/client.ts"
import { OutputSender } from "../../src/runner/output-sender.ts"

const HELD = { id: 7, token: "t" }

/**
 * A sender whose server answers the first prints with these errors, and accepts the following ones. `places`
 * are the positions at which it prints; undefined stands for a request for the output's end, which the server
 * says is at 10.
 */
function sender(
  errors: readonly ServerError[],
  isContinued = false,
): { readonly one: OutputSender; readonly printed: string[]; readonly places: (number | undefined)[] } {
  const left = [...errors]
  const printed: string[] = []
  const places: (number | undefined)[] = []
  const client: unknown = {
    print: async (_held: object, bytes: Uint8Array, offset?: number) => {
      const error = left.shift()
      if (error) throw error
      places.push(offset)
      if (bytes.length > 0) printed.push(new TextDecoder().decode(bytes))
      return { attempt: 1, end: 10 + bytes.length }
    },
  }
  const one = new OutputSender(client as Client, new AbortController().signal, () => isContinued)
  one.push(new TextEncoder().encode("the last\n"), 1)
  return { one, printed, places }
}

test("the last output is kept while the server is away, and sent once it is back", async () => {
  const { one, printed } = sender([new ServerError(0, "away")])
  await expect(one.finish(HELD)).rejects.toThrow("away")
  await one.finish(HELD)
  expect(printed).toEqual(["the last\n"])
})

test.each([
  ["does not know output", 404, "not_found"],
  ["has no room for it", 503, "unavailable"],
  ["has given the lease to another", 409, "lease_lost"],
])("the last output keeps no result from a server that %s", async (_, status, code) => {
  const { one, printed } = sender([new ServerError(status, "refused", { code })])
  await one.finish(HELD)
  expect(printed).toEqual([])
})

test("output follows what others have printed in the attempt, and begins at 0 in one that is claimed again", async () => {
  const { one, printed, places } = sender([], true)
  await one.finish(HELD)
  one.push(new TextEncoder().encode("more\n"), 1)
  await one.finish(HELD)
  one.push(new TextEncoder().encode("again\n"), 1)
  await one.finish({ id: 7, token: "next" })
  expect(printed).toEqual(["the last\n", "more\n", "again\n"])
  expect(places).toEqual([undefined, 10, 19, 0])
})

test.each([
  ["the attempt's first output", false, 0],
  ["output after what others have printed", true, 10],
])("text that was dropped before it could be sent is missing in %s", async (_, isContinued, begin) => {
  const { one, printed, places } = sender([], isContinued)
  for (const kB of [100, 300]) one.push(new TextEncoder().encode(`${"x".repeat(999)}\n`.repeat(kB)), 1)
  await one.finish(HELD)
  const [text = ""] = printed
  expect(text.length).toBeLessThanOrEqual(256 * 1024)
  expect(places.at(-1)).toBe(begin + "the last\n".length + 400_000 - text.length)
})

test("the more is sent at once, the longer is the wait before the next time", async () => {
  const { one, places } = sender([])
  one.push(new TextEncoder().encode(`${"x".repeat(1023)}\n`.repeat(200)), 1)
  await one.filled(new AbortController().signal)
  const waitMs = await one.send(HELD)
  expect(waitMs).toBe((9 + 200 * 1024) / 256)
  expect(await one.send(HELD)).toBe(250)
  expect(places).toEqual([0])
})

test.each([
  ["another program refused in the server's place", new ServerError(404, "no such page")],
  [
    "the server refused because it does not know its host name",
    new ServerError(421, "not my name", { code: "misdirected" }),
  ],
])("output that %s is sent later", async (_, error) => {
  const { one, printed } = sender([error])
  await one.finish(HELD).catch(() => undefined)
  await one.finish(HELD)
  expect(printed).toEqual(["the last\n"])
})

test("a line that is not ended is sent once nothing more comes of it", async () => {
  const { one, printed } = sender([])
  const next = async (): Promise<void> => {
    await one.filled(AbortSignal.timeout(5000))
    await one.send(HELD)
  }
  await next()
  one.push(new TextEncoder().encode("Continue? "), 1)
  await next()
  expect(printed).toEqual(["the last\n", "Continue? "])
})
