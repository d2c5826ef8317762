import { expect, test } from "bun:test"

import { acceptsGzip, acceptsHtml } from "../../src/http/accepts.ts"

const asking = (headers: Record<string, string>): Request => new Request("http://localhost/", { headers })

test.each<[isAccepted: boolean, accept: string]>([
  [true, "text/html,application/xhtml+xml,*/*;q=0.8"],
  [true, "application/json, Text/HTML;q=0.1"],
  [true, "application/xhtml+xml"],
  [true, "text/html;level=1"],
  [false, "text/html;q=0, text/plain"],
  [false, "text/html; q=0.00"],
  [false, "text/htmlx, application/json"],
  [false, "*/*"],
])("HTML is accepted (%p) by Accept: %s", (isAccepted, accept) => {
  expect(acceptsHtml(asking({ accept }))).toBe(isAccepted)
})

test.each<[isAccepted: boolean, encodings: string]>([
  [true, "gzip, deflate, br"],
  [true, "br;q=1, GZIP;q=0.01"],
  [false, "gzip;q=0, identity"],
  [false, "gzip; q=0.0"],
  [false, "br, deflate"],
])("gzip is accepted (%p) by Accept-Encoding: %s", (isAccepted, encodings) => {
  expect(acceptsGzip(asking({ "accept-encoding": encodings }))).toBe(isAccepted)
})

test("without the headers neither is accepted", () => {
  expect([acceptsHtml(asking({})), acceptsGzip(asking({}))]).toEqual([false, false])
})
