import { Type } from "@sinclair/typebox"

import { described } from "../../item/schema-parts.ts"
import { DeliveryStatus } from "../../item/webhook-notice.ts"
import type { Webhooks } from "../../webhooks/webhooks.ts"
import { DeliveriesPage } from "../../wire/answers.ts"
import { API } from "../api.ts"
import type { AppWithCaller } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"
import { linkToNext } from "../paths.ts"
import { bounded, MAX_ROWS, numberIn, queryInteger, queryUpTo } from "../request-parameters.ts"

const DEFAULT_ROWS = 100

const DeliveriesParams = Type.Object(
  {
    status: described(Type.Optional(DeliveryStatus), "only deliveries with this status"),
    limit: queryUpTo(1, MAX_ROWS),
    before: queryInteger(1, "`next` of the previous page"),
  },
  { additionalProperties: false },
)

/** What was sent to webhooks, and what will be sent. */
export const webhookRoutes = (app: AppWithCaller, webhooks: Webhooks) =>
  app.get(
    `${API}/webhooks/deliveries`,
    async ({ query: { status, limit, before }, request, set }): Promise<DeliveriesPage> => {
      const page = await webhooks.list({
        status,
        limit: bounded(limit, DEFAULT_ROWS, MAX_ROWS),
        before: numberIn(before),
      })
      if (page.next !== null) set.headers["link"] = linkToNext(request, "before", page.next)
      return page
    },
    {
      query: DeliveriesParams,
      ...words({
        id: "listDeliveries",
        tag: "Webhooks",
        summary: "List webhook deliveries",
        about: "The newest first. Finished deliveries are kept for a week.",
        successes: [json("a page of the deliveries", DeliveriesPage)],
      }),
    },
  )
