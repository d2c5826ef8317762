import { expect, test } from "bun:test"

import { compressedJson } from "../../src/http/compressed-json.ts"

/** Whether a text was compressed, and the headers that its answer has then. */
async function sent(json: string, accepts: string | undefined, vary?: string): Promise<[boolean, object]> {
  const headers: Record<string, string> = vary === undefined ? {} : { vary }
  const request = new Request(
    "http://x",
    accepts === undefined ? {} : { headers: { "accept-encoding": accepts } },
  )
  const bytes = await compressedJson(json, request, headers)
  if (bytes) expect(new TextDecoder().decode(Bun.gunzipSync(bytes))).toBe(json)
  return [bytes !== undefined, headers]
}

const LONG = JSON.stringify("x".repeat(20_000))

test("a long answer says beside all else on which it depends that it depends on the accepted encodings", async () => {
  expect(await sent(LONG, "gzip")).toEqual([true, { "content-encoding": "gzip", vary: "accept-encoding" }])
  expect(await sent(LONG, undefined)).toEqual([false, { vary: "accept-encoding" }])
  expect(await sent(LONG, "br", "origin")).toEqual([false, { vary: "origin, accept-encoding" }])
  expect(await sent(LONG, "gzip", "*")).toEqual([true, { "content-encoding": "gzip", vary: "*" }])
})

test("a short answer, which arrives at once anyway, is not compressed, and a longer one is, in this thread or beside it", async () => {
  const length = 14_000
  expect(await sent("1".repeat(length - 1), "gzip", "origin")).toEqual([false, { vary: "origin" }])
  for (const one of ["1".repeat(length), "1".repeat(3_000_000)])
    expect(await sent(one, "gzip")).toEqual([true, { "content-encoding": "gzip", vary: "accept-encoding" }])
})
