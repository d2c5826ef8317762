import { QueueClient } from "../../client/queue-client.ts"
import { ServerError } from "../../client/requests.ts"
import { reasonOf } from "../../errors.ts"
import { capital } from "../model/wording.ts"
import { ownToken, takeShared } from "./token.ts"

// This happens before the token is read.
if (typeof document !== "undefined") takeShared()

/** The URL of the server: one level above this script, so that the page works below any path of a proxy. */
export const BASE = new URL("../", import.meta.url)

/** The server that this page came from. */
export const server = new QueueClient(BASE.href, { token: ownToken() })

/** What the page says if the server wants a token and the page has none. */
export const NEEDS_TOKEN = "This server needs a token"

/** What went wrong, as a sentence for a reader of the page, without its full stop. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ServerError && error.code === "unreachable") return "Can't reach the server"
  // The server's messages are for programmers.
  if (error instanceof ServerError && error.code === "unauthorized")
    return ownToken() === undefined
      ? NEEDS_TOKEN
      : "Your token is not accepted: it was revoked, has expired, or is incomplete"
  return capital(reasonOf(error))
}
