import { type Static, Type } from "@sinclair/typebox"

import { ItemChange, MAX_TEXT_BYTES, NewItem, QueueItem } from "../item/item.ts"

/** What `POST /queue/claim` takes: the first item whose tags are all among `tags`, or the item `id` and no other. */
export const ClaimRequest = Type.Object(
  {
    /** The name of the worker, as viewers see it. */
    worker: Type.String({
      format: "text",
      minLength: 1,
      description: `text of 1 to ${MAX_TEXT_BYTES} bytes, without NUL and lone surrogates`,
    }),
    /** Seconds to wait for an item; default 0. */
    wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 60 })),
    /** Seconds until the lease runs out unless it is renewed; default 60. */
    lease: Type.Optional(Type.Integer({ minimum: 1, maximum: 3600 })),
    tags: NewItem.properties.tags,
    id: Type.Optional(QueueItem.properties.id),
  },
  { additionalProperties: false },
)
export type ClaimRequest = Static<typeof ClaimRequest>

/** What `POST /queue/:id/fail` takes. */
export const FailRequest = Type.Object(
  {
    error_message: ItemChange.properties.error_message,
    /** Whether another attempt makes sense; default true. */
    retryable: Type.Optional(Type.Boolean()),
    /** Seconds before the next attempt; by default ten, and twice as long after each failure. */
    retry_in: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
  },
  { additionalProperties: false },
)
export type FailRequest = Static<typeof FailRequest>
