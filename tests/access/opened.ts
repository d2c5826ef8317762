import { join } from "node:path"

import { Authorizer, type Caller, type Credentials } from "../../src/access/authorize.ts"
import { digest, randomText } from "../../src/access/secret.ts"
import { Tickets } from "../../src/access/tickets.ts"
import { Tokens } from "../../src/access/tokens.ts"
import { AppError } from "../../src/errors.ts"
import type { TokenDraft } from "../../src/store/contract/access.ts"
import { openAccessBeside } from "../../src/store/sqlite/open-tokens.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { temporaryFolder } from "../server.ts"

/** The time of the clock at first. */
export const START_MS = Date.parse("2026-01-02T03:04:05Z")

/** Lets a test fail by an error that nobody awaits. */
export const onError = (error: unknown): never => {
  throw error
}

/** An authorizer on a database of its own, with a clock that is moved by hand. */
export async function opened(isOpen = false) {
  const folder = temporaryFolder()
  const clock = { nowMs: START_MS }
  const now = (): number => clock.nowMs
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path, () => ({ now, steadyMs: now }))
  // As the command does it: over another connection, without the lock.
  const beside = openAccessBeside(path)
  const made = async () => {
    const tokens = new Tokens(store.access, { history: store.historyId, now, steadyMs: now, digest, onError })
    const tickets = new Tickets(store.access, tokens, { now, digest, random: randomText, onError })
    await tokens.look()
    await tickets.load()
    return { tokens, tickets, access: new Authorizer(tokens, tickets, { isOpen, steadyMs: now }) }
  }
  const parts = await made()
  return {
    ...parts,
    store,
    beside: beside.access,
    clock,
    /** The same authorizer after a restart of the server. */
    made,
    /** Creates a token as a command beside the server does, and returns its secret. */
    async token(more: Partial<TokenDraft> = {}): Promise<{ secret: string; id: number }> {
      const secret = `tsk_${randomText()}`
      const draft = { label: "", role: "viewer", item: null, expires_at: null, hash: digest(secret) } as const
      const { id } = await beside.access.addToken({ ...draft, ...more })
      await parts.tokens.look()
      return { secret, id }
    },
    async [Symbol.asyncDispose]() {
      beside.close()
      await store.close()
      folder[Symbol.dispose]()
    },
  }
}

/** What a request shows of its caller; by default nothing. */
export const credentials = (more: Partial<Credentials> = {}, isLocal = true): Credentials => ({
  authorization: null,
  ticket: undefined,
  hasLease: false,
  method: "GET",
  path: "/api/v1/queue",
  from: () => ({ key: "10.0.0.1", isLocal }),
  ...more,
})
/** A request with this token. */
export const bearer = (secret: string): Credentials => credentials({ authorization: `Bearer ${secret}` })

/** The code of the error by which a caller is refused; undefined if it is let in. */
export function refusal(call: () => Caller): string | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
}
