import { type Static, Type } from "@sinclair/typebox"

/** What a webhook is called for: an item completed, failed, or made no progress for a while. */
export const NOTICES = ["completed", "failed", "stalled"] as const

/** One of `NOTICES`. */
export const Notice = Type.Union(NOTICES.map((notice) => Type.Literal(notice)))
export type Notice = Static<typeof Notice>

/** How far a delivery to a webhook has come; `failed` is one that was given up. */
export const DELIVERY_STATUSES = ["pending", "delivered", "failed"] as const

/** One of `DELIVERY_STATUSES`. */
export const DeliveryStatus = Type.Union(DELIVERY_STATUSES.map((status) => Type.Literal(status)))
export type DeliveryStatus = Static<typeof DeliveryStatus>
