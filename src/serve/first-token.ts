import { Authorizer } from "../access/authorize.ts"
import { digest, newToken, randomText } from "../access/secret.ts"
import { Tickets } from "../access/tickets.ts"
import { Tokens } from "../access/tokens.ts"
import { AppError } from "../errors.ts"
import { isLoopback } from "../loopback.ts"
import type { ServeSettings } from "../settings/read-settings.ts"
import { tokenInOrNew } from "../settings/token-file.ts"
import type { Store } from "../store/contract/store.ts"
import { shownDatabase } from "../store/database-address.ts"
import { shellWord } from "../text.ts"
import { logged } from "./error-log.ts"

/** What decides which callers are let in. */
export interface Protection {
  /** The tokens in force. */
  readonly tokens: Tokens
  /** The tickets that were given out. */
  readonly tickets: Tickets
  /** Decides which role a caller has. */
  readonly authorizer: Authorizer
}

/** Makes tokens, tickets and authorizer for a store. Call `protect` before any caller is let in. */
export function protectionOf({ open }: ServeSettings, store: Store): Protection {
  const { access, clock, historyId } = store
  const onError = logged("the tokens could not be read or written")
  const steadyMs = (): number => performance.now()
  const tokens = new Tokens(access, { history: historyId, now: clock.now, steadyMs, digest, onError })
  const tickets = new Tickets(access, tokens, { now: clock.now, digest, random: randomText, onError })
  return {
    tokens,
    tickets,
    authorizer: new Authorizer(tokens, tickets, { isOpen: open, steadyMs }),
  }
}

/**
 * If there is no token yet, it creates an admin token and writes it into the file that the owner named, or
 * takes over the token that the file already has. Returns whether it created a token.
 * @throws AppError `unavailable` if the file cannot be read or written
 */
async function firstToken({ tokenFile }: ServeSettings, store: Store): Promise<boolean> {
  if (tokenFile === undefined || (await store.access.tokens()).length > 0) return false
  const secret = tokenInOrNew(tokenFile, newToken)
  const draft = { label: "made at the first start", role: "admin", item: null, expires_at: null } as const
  try {
    await store.access.addToken({ ...draft, hash: digest(secret) })
    return true
  } catch (error) {
    // Another instance has added a token in the meantime.
    if ((await store.access.tokens()).length > 0) return false
    throw error
  }
}

/** A word that a shell takes as it is. */
const PLAIN = /^[\w./:@%+,=-]+$/

const word = (text: string): string => (PLAIN.test(text) ? text : shellWord(text))

/** The refusal to serve other machines without tokens. It has a line to paste for each way out. */
function unprotected({ host, port, database }: ServeSettings): AppError {
  const at = `--database ${word(shownDatabase(database))}`
  return new AppError(
    "invalid",
    `with --host ${host} anyone who reaches this machine could use the server, and no token exists. Create one, or let anyone do everything:
  track-studio token create --role admin ${at}
  track-studio serve --host ${word(host)} --port ${port} ${at} --open`,
  )
}

const isForOthers = ({ host, open }: ServeSettings): boolean => !open && !isLoopback(host)

/**
 * Refuses a start on a database that does not exist, and so has no token, if other machines could reach the server.
 * @throws AppError `invalid`
 */
export function refuseUnprotectedStart(settings: ServeSettings): void {
  if (isForOthers(settings) && settings.tokenFile === undefined) throw unprotected(settings)
}

/**
 * Reads the tokens before any caller is let in. Returns whether it created the first token.
 * @throws AppError `invalid` if other machines could reach a server without tokens
 */
export async function protect(
  settings: ServeSettings,
  store: Store,
  { tokens, tickets }: Protection,
): Promise<boolean> {
  const isFirst = await firstToken(settings, store)
  await tokens.start()
  // Without a token there is no ticket, which stands for one.
  if (tokens.existed) await tickets.load()
  else if (isForOthers(settings)) throw unprotected(settings)
  return isFirst
}
