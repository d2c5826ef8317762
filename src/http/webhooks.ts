import { Type } from "@sinclair/typebox"
import { Elysia } from "elysia"

import { DeliveryStatus } from "../item/notice.ts"
import type { Webhooks } from "../webhooks/webhooks.ts"
import { DeliveriesPage } from "../wire/answers.ts"
import { json, words } from "./docs/words.ts"
import { queryInteger, within } from "./params.ts"

const DEFAULT_ROWS = 100
const MAX_ROWS = 1000

const DeliveriesParams = Type.Object(
  {
    status: Type.Optional(DeliveryStatus),
    limit: queryInteger(1, "a whole number from 1; more than 1000 counts as 1000"),
    before: queryInteger(1, "the next of the page before"),
  },
  { additionalProperties: false },
)

/** What has been sent to webhooks, and what is still to be. */
export const webhookRoutes = (webhooks: Webhooks) =>
  new Elysia({ prefix: "/webhooks", normalize: false }).get(
    "/deliveries",
    async ({ query: { status, limit, before } }): Promise<DeliveriesPage> =>
      webhooks.list({
        status,
        limit: within(limit, DEFAULT_ROWS, MAX_ROWS),
        before: before === undefined ? undefined : Number(before),
      }),
    {
      query: DeliveriesParams,
      ...words({
        id: "listDeliveries",
        tag: "Webhooks",
        summary: "What webhooks were told, and what they are still to be told",
        about: "The newest first. Deliveries that are over are kept for a week.",
        successes: [json("a page of the deliveries", DeliveriesPage)],
      }),
    },
  )
