import { expect, test } from "bun:test"

import { EVERYBODY } from "../../src/access/authorize.ts"
import { jsonAnswer } from "../../src/http/json-answer.ts"
import { UNPROTECTED } from "./unprotected.ts"

/** The headers of an answer to a client with these headers. */
function headersOf(json: string, sent: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {}
  const request = new Request("http://x/", { headers: sent })
  jsonAnswer(json, { request, caller: EVERYBODY, headers, limits: UNPROTECTED.limits })
  return headers
}

const DIGEST = "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:"

test("an answer has the digest of its text if its client wants that, and otherwise none", () => {
  for (const wanted of ["sha-256=1", "sha-512=3, sha-256=10"])
    expect(headersOf("{}", { "want-content-digest": wanted })).toEqual({ "content-digest": DIGEST })
  for (const unwanted of ["sha-256=0", "sha-512=3"])
    expect(headersOf("{}", { "want-content-digest": unwanted })).toEqual({})
  expect(headersOf("{}", {})).toEqual({})
})

test("an answer that is compressed has no digest, which would be of other bytes than those that are sent", () => {
  const sent = { "want-content-digest": "sha-256=1", "accept-encoding": "gzip" }
  expect(headersOf("1".repeat(20_000), sent)).toEqual({ "content-encoding": "gzip", vary: "accept-encoding" })
})
