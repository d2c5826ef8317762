import { expect, test } from "bun:test"

import { EVERYBODY } from "../../src/access/authorize.ts"
import type { AppError } from "../../src/errors.ts"
import { whileIn } from "../../src/http/revoked-meanwhile.ts"

test("who may no longer come in leaves at once, also if the token was revoked before anybody waited for that", () => {
  const left: string[] = []
  const leave = ({ code }: AppError): void => void left.push(code)
  using _before = whileIn({ ...EVERYBODY, ended: AbortSignal.abort() }, leave)
  expect(left).toEqual(["unauthorized"])
  const ended = new AbortController()
  using _later = whileIn({ ...EVERYBODY, ended: ended.signal }, leave)
  expect(left).toHaveLength(1)
  ended.abort()
  expect(left).toEqual(["unauthorized", "unauthorized"])
})

test("who has left by then does not hear of it", () => {
  const ended = new AbortController()
  let refusals = 0
  whileIn({ ...EVERYBODY, ended: ended.signal }, () => void (refusals += 1))[Symbol.dispose]()
  ended.abort()
  expect(refusals).toBe(0)
})
