import { expect, test } from "bun:test"

import { type Caller, EVERYBODY } from "../../src/access/authorize.ts"
import { AppError, type ErrorCode } from "../../src/errors.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import { UNPROTECTED } from "./unprotected.ts"

/** The code of the refusal that a report gets if the queue refuses it with a code. */
async function codeOf(role: Caller["role"], code: ErrorCode): Promise<string> {
  const caller: Caller = { ...EVERYBODY, role }
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    ...{ host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" },
    ...UNPROTECTED,
    authorizer: { caller: () => caller, unknownCaller: () => caller },
    workers: { heartbeat: () => Promise.reject(new AppError(code, "refused")) },
    onError: () => undefined,
  }
  const request = new Request("http://127.0.0.1/api/v1/queue/7/heartbeat", {
    method: "POST",
    headers: { lease: "a" },
  })
  const answer: { code: string } = await (await createApp(parts as AppParts).handle(request)).json()
  return answer.code
}

test("a caller that has a lease alone does not learn that an item never existed, and learns every other refusal", async () => {
  expect(await codeOf("nobody", "not_found")).toBe("lease_lost")
  for (const code of ["gone", "illegal_move", "unavailable"] as const)
    expect(await codeOf("nobody", code)).toBe(code)
})

test("a caller with a token learns that an item does not exist", async () => {
  for (const role of ["worker", "admin"] as const) expect(await codeOf(role, "not_found")).toBe("not_found")
})
