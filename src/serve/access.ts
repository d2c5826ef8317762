import { Gate } from "../access/gate.ts"
import { digest, newToken, randomText } from "../access/secret.ts"
import { Tickets } from "../access/tickets.ts"
import { Tokens } from "../access/tokens.ts"
import type { Config } from "../config/config.ts"
import { tokenInOrNew } from "../config/token-file.ts"
import { AppError } from "../errors.ts"
import { isLoopback } from "../http/origin.ts"
import type { Store } from "../store/contract/store.ts"
import { shownDatabase } from "../store/database-address.ts"
import { logged } from "./faults.ts"

/** What decides which callers are let in. */
export interface Access {
  /** The tokens in force. */
  readonly tokens: Tokens
  /** The tickets that were given out. */
  readonly tickets: Tickets
  /** Decides which role a caller has. */
  readonly gate: Gate
}

/** Tokens, tickets and gate of a store; let no caller in before `protect`. */
export function accessOf({ open }: Config, store: Store): Access {
  const { access, clock, historyId } = store
  const onError = logged("the tokens could not be read or written")
  const tokens = new Tokens(access, { history: historyId, now: clock.now, digest, onError })
  const tickets = new Tickets(access, tokens, { now: clock.now, digest, random: randomText, onError })
  return { tokens, tickets, gate: new Gate(tokens, tickets, { isOpen: open, steadyMs: clock.steadyMs }) }
}

/**
 * If there is no token yet, creates an admin token in the file that the owner named, or takes over the one that the
 * file holds. Returns whether it created one.
 * @throws AppError `unavailable` if the file cannot be read or written
 */
async function firstToken({ tokenFile }: Config, store: Store): Promise<boolean> {
  if (tokenFile === undefined || (await store.access.tokens()).length > 0) return false
  const secret = tokenInOrNew(tokenFile, newToken)
  const draft = { label: "made at the first start", role: "admin", item: null, expires_at: null } as const
  try {
    await store.access.addToken({ ...draft, hash: digest(secret) })
    return true
  } catch (error) {
    // Another instance has added it meanwhile.
    if ((await store.access.tokens()).length > 0) return false
    throw error
  }
}

/**
 * Reads the tokens before any caller is let in; answers whether the first one was created.
 * @throws AppError `invalid` if others than this machine could reach a server without tokens
 */
export async function protect(config: Config, store: Store, { tokens, tickets }: Access): Promise<boolean> {
  const isFirst = await firstToken(config, store)
  await tokens.start()
  await tickets.load()
  const { host, open, database } = config
  if (tokens.existed || open || isLoopback(host)) return isFirst
  throw new AppError(
    "invalid",
    `with --host ${host} anyone who reaches this machine could use the server, and no token exists. Create one, or let anyone do everything:
  track-studio token create --role admin --database ${shownDatabase(database)}
  track-studio serve --host ${host} --database ${shownDatabase(database)} --open`,
  )
}
