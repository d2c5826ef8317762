import { expect, test } from "bun:test"

import { Authorizer, type Credentials } from "../../src/access/authorize.ts"
import { digest, randomText } from "../../src/access/secret.ts"
import { Tickets } from "../../src/access/tickets.ts"
import { Tokens } from "../../src/access/tokens.ts"
import { AppError } from "../../src/errors.ts"
import type { Access, TokenRow } from "../../src/store/contract/access.ts"
import { ALL_NEEDS } from "./needs.ts"

const SECRET = `tsk_${randomText()}`
const ROW: TokenRow = {
  id: 1,
  label: "",
  role: "admin",
  item: null,
  history: "",
  hash: digest(SECRET),
  created_at: "2026-01-02T03:04:05.000Z",
  expires_at: null,
  last_used_at: "2026-01-02T03:04:05.000Z",
  revoked_at: null,
}
const FROM = { key: "10.0.0.1", isLocal: true }
const BEARER: Credentials = {
  authorization: `Bearer ${SECRET}`,
  ticket: undefined,
  hasLease: false,
  method: "GET",
  path: "",
  from: () => FROM,
}
const FREE = ["nothing", "operations"]

/** An authorizer whose database answers only when it is let. */
class CutOff {
  nowMs = 0
  isCutOff = false
  /** Whether the database answers with an error; otherwise it does not answer at all. */
  isFailing = false
  /** Lets the database answer the questions that it was asked while it was cut off. */
  readonly late = Promise.withResolvers<void>()
  readonly tokens: Tokens
  readonly #access: Authorizer

  constructor() {
    const now = (): number => this.nowMs
    const answer = async <T>(value: T): Promise<T> => {
      if (this.isFailing) throw new Error("no database")
      if (this.isCutOff) await this.late.promise
      return value
    }
    const store: Partial<Access> = {
      version: () => answer(1),
      tokens: () => answer([ROW]),
      useTokens: async () => undefined,
    }
    const options = { now, steadyMs: now, digest, onError: () => undefined }
    this.tokens = new Tokens(store as Access, { ...options, history: "" })
    const tickets = new Tickets(store as Access, this.tokens, { ...options, random: randomText })
    this.#access = new Authorizer(this.tokens, tickets, { isOpen: false, steadyMs: now })
  }

  /** Which needs of a caller with these credentials are refused because the tokens are not known. */
  refused(credentials: Credentials = BEARER): string[] {
    return ALL_NEEDS.filter((need) => {
      try {
        this.#access.caller(credentials, need)
        return false
      } catch (error) {
        if (error instanceof AppError && error.code === "unavailable") return true
        throw error
      }
    })
  }
}

test("a server that cannot ask whether a token was revoked refuses it after five seconds, until it can ask", async () => {
  const server = new CutOff()
  await server.tokens.look()
  server.nowMs += 60_000
  // Nobody has asked in this time: the process stood still.
  expect(server.refused()).toEqual([])
  server.isFailing = true
  await expect(server.tokens.look()).rejects.toThrow("no database")
  server.nowMs += 4999
  await expect(server.tokens.look()).rejects.toThrow("no database")
  expect(server.refused()).toEqual([])
  server.nowMs += 1
  expect(server.refused()).toEqual(ALL_NEEDS.filter((need) => !FREE.includes(need)))
  server.isFailing = false
  await server.tokens.look()
  expect(server.refused()).toEqual([])
})

test("a database that does not answer at all counts from the question on", async () => {
  const server = new CutOff()
  await server.tokens.look()
  server.isCutOff = true
  const asked = server.tokens.look()
  server.nowMs += 5000
  expect(server.refused()).toContain("read")
  server.late.resolve()
  await asked
  // The answer may be as old as the question.
  expect(server.refused()).toContain("read")
  await server.tokens.look()
  expect(server.refused()).toEqual([])
})

test("a lease needs no token, so a render goes on reporting to a server that knows no tokens", async () => {
  const server = new CutOff()
  await server.tokens.look()
  server.isCutOff = true
  void server.tokens.look()
  server.nowMs += 5000
  expect(server.refused({ ...BEARER, hasLease: true })).not.toContain("report")
  expect(server.refused({ ...BEARER, hasLease: true })).toContain("claim")
})
