import { type Static, Type } from "@sinclair/typebox"

import { ItemChange, MAX_TEXT_BYTES, NewItem, QueueItem, Steps } from "../item/item.ts"
import { DEFAULT_LEASE_S, MAX_LEASE_S } from "../item/lease.ts"
import { OneOf } from "../item/schema-parts.ts"

/** What `POST /queue/claim` takes: the first item whose tags are all among `tags`, or the item `id` and no other. */
export const ClaimRequest = Type.Object(
  {
    /** The name of the worker, as viewers see it. */
    worker: Type.String({
      format: "text",
      minLength: 1,
      // The worker is drained at `/workers/NAME/drain`, and a browser removes these from an address.
      pattern: "^(?!\\.\\.?$)",
      description: `text of 1 to ${MAX_TEXT_BYTES} bytes, without NUL and lone surrogates; not . or .., which no URL can contain`,
    }),
    wait: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 60, description: "seconds to wait for an item; 0 by default" }),
    ),
    lease: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_LEASE_S,
        description: `seconds until the lease runs out unless it is renewed; ${DEFAULT_LEASE_S} by default`,
      }),
    ),
    /** What the worker offers: an item that needs other tags is passed over. None by default. */
    tags: NewItem.properties.tags,
    /** Claim this item and no other. */
    id: Type.Optional(QueueItem.properties.id),
    /** The kind of the item as the worker knows it; used if the item has none. */
    kind: NewItem.properties.kind,
    /** As `kind`. */
    totals: NewItem.properties.totals,
    version: Type.Optional(
      Type.String({ format: "text", maxLength: 64, description: "the version of the worker's program" }),
    ),
    instance: Type.Optional(
      Type.String({
        format: "text",
        maxLength: 64,
        description:
          "a value that differs after each start of the worker, so that a drained worker takes items again after a restart",
      }),
    ),
    again: Type.Optional(
      Type.Boolean({
        description:
          "true: only what an earlier claim with this Idempotency-Key still holds, and no new item",
      }),
    ),
  },
  { additionalProperties: false },
)
export type ClaimRequest = Static<typeof ClaimRequest>

/** What `POST /tickets` takes. */
export const TicketRequest = Type.Object(
  {
    /** A path of the API with its query, as it will be requested, such as `/api/v1/progress/stream/7`. */
    path: Type.String({ format: "text", maxLength: 2048 }),
  },
  { additionalProperties: false },
)
export type TicketRequest = Static<typeof TicketRequest>

/** What `POST /queue/:id/move` takes. */
export const MoveRequest = Type.Object(
  {
    /** The waiting item to move it before. */
    before: QueueItem.properties.id,
  },
  { additionalProperties: false },
)
export type MoveRequest = Static<typeof MoveRequest>

/** What `POST /queue/retry` takes. */
export const RetryRequest = Type.Object(
  {
    status: Type.Literal("failed", {
      description: "items that failed or lost their workers; cancelled ones stay as they are",
    }),
  },
  { additionalProperties: false },
)
export type RetryRequest = Static<typeof RetryRequest>

/** What `POST /queue/batch` takes. */
export const BatchRequest = Type.Object(
  {
    act: OneOf(["cancel", "retry", "delete"], "what to do to each item"),
    ids: Type.Array(QueueItem.properties.id, {
      minItems: 1,
      maxItems: 1000,
      uniqueItems: true,
      description: "the items, each once",
    }),
  },
  { additionalProperties: false },
)
export type BatchRequest = Static<typeof BatchRequest>

/** What `POST /queue/:id/fail` takes. */
export const FailRequest = Type.Object(
  {
    error_message: ItemChange.properties.error_message,
    retryable: Type.Optional(
      Type.Boolean({ description: "whether another attempt makes sense; true by default" }),
    ),
    retry_in: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 86_400,
        description: "seconds before the next attempt; by default 10, and twice as long after each failure",
      }),
    ),
    cancelled: Type.Optional(
      Type.Boolean({
        description: "whether a person stopped the command: then the item is cancelled instead of failed",
      }),
    ),
  },
  { additionalProperties: false },
)
export type FailRequest = Static<typeof FailRequest>

/** What `POST /queue/:id/steps` takes. */
export const StepsRequest = Type.Object(
  {
    /** The names of all steps, in their order. */
    steps: Steps,
  },
  { additionalProperties: false },
)
export type StepsRequest = Static<typeof StepsRequest>
