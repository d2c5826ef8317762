import { Elysia } from "elysia"

import { checkAllowed } from "../../access/roles.ts"
import type { Tickets } from "../../access/tickets.ts"
import { AppError } from "../../errors.ts"
import { NewTicket } from "../../wire/answers.ts"
import { TicketRequest } from "../../wire/requests.ts"
import { API } from "../api.ts"
import { jsonBody } from "../body.ts"
import type { AppWithCaller } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"
import { needAt } from "../needed-rights.ts"

/**
 * Reads the tickets that other servers gave out before any request uses them. Nothing is known of the sender
 * before, so `count` counts the request by its address first, and may throw. If there is only one server, this
 * costs nothing.
 */
export function sharedTickets(tickets: Tickets, count: (request: Request) => void) {
  const plugin = new Elysia({ name: "shared tickets" })
  if (!tickets.isShared) return plugin
  return plugin.onRequest(async ({ request }) => {
    const [, ticket] = /[?&]ticket=([\w-]+)/.exec(request.url) ?? []
    // If there is a header, the ticket is not used.
    if (ticket === undefined || request.headers.has("authorization")) return
    await tickets.learn(ticket, () => count(request))
  })
}

/** Tickets for clients that can send no header. */
export const ticketRoutes = (app: AppWithCaller, tickets: Tickets) =>
  app.post(
    `${API}/tickets`,
    async ({ body: { path }, caller, set }): Promise<NewTicket> => {
      const { token } = caller
      if (!token) {
        throw new AppError("invalid", "a ticket stands in for a token: send one, or connect without either")
      }
      // A ticket that opens nothing would leave an EventSource without a reason.
      checkAllowed(caller, needAt("GET", path.replace(/\?.*$/s, "")) ?? "item")
      set.status = 201
      return tickets.create(token, path)
    },
    {
      parse: jsonBody,
      body: TicketRequest,
      ...words({
        id: "createTicket",
        tag: "Access",
        summary: "Get a ticket for a client that can send no header",
        about:
          "For EventSource, a browser's WebSocket, `<video>` and `ffmpeg -progress URL`: add `ticket=` to the query of the path. A ticket is for that path and query alone, must be used within 60 seconds, is then good for reconnects for 12 hours at most, and ends with the token. Prefer the header `Authorization` if it can be sent.",
        successes: [json("the ticket, which is shown once", NewTicket, 201)],
      }),
    },
  )
