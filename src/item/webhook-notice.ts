import type { Static } from "@sinclair/typebox"

import { OneOf } from "./schema-parts.ts"

/** What a webhook is called for: an item completed, failed, or made no progress for a while. */
export const NOTICES = ["completed", "failed", "stalled"] as const

/** One of `NOTICES`. */
export const Notice = OneOf(NOTICES)
export type Notice = Static<typeof Notice>

/** How far a delivery to a webhook has come; `failed` is one that was given up. */
export const DELIVERY_STATUSES = ["pending", "delivered", "failed"] as const

/** One of `DELIVERY_STATUSES`. */
export const DeliveryStatus = OneOf(DELIVERY_STATUSES)
export type DeliveryStatus = Static<typeof DeliveryStatus>
