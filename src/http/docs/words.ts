import type { TSchema } from "@sinclair/typebox"

import type { ErrorCode } from "../../errors.ts"

/** The content of a body, with examples. */
export interface Content {
  /** The schema of the body, or of each thing in a stream. */
  readonly schema: TSchema
  /** An example of the body; absent for none. */
  readonly example?: unknown
  /** An example as it looks on the network; absent if `example` shows that already. */
  readonly wire?: string
}

/** A successful answer of a route. */
export interface Success {
  /** The HTTP status. */
  readonly status: number
  /** What it means, as a clause without a full stop. */
  readonly about: string
  /** By content type; absent if there is no body. */
  readonly content?: Readonly<Record<string, Content>>
}

/** How a route describes itself, in addition to its schemas. */
export interface RouteWords {
  /** A name in camelCase, for generated clients. */
  readonly id: string
  /** The group that it belongs to. */
  readonly tag: "Queue" | "Workers" | "Streams" | "Webhooks" | "Access" | "Server"
  /** What it does, in a few words without a full stop. */
  readonly summary: string
  /** Sentences, with code in backticks; absent if the summary says it all. */
  readonly about?: string
  /** Request headers that it reads, and what they mean; absent for none. */
  readonly headers?: Readonly<Record<string, string>>
  /** The answers if it succeeds; none if it always refuses. */
  readonly successes: readonly Success[]
  /**
   * Codes of the refusals that only this route has; default none. The refusals that every request with such a
   * body, query or path can get are added.
   */
  readonly refusals?: readonly ErrorCode[]
  /** What the body is; absent if it is JSON, or if there is none. */
  readonly body?: { readonly type: string; readonly about: string }
}

/** What each group of routes is about. */
export const ROUTE_TAGS: Readonly<Record<RouteWords["tag"], string>> = {
  Queue: "Add, look at and change queue items.",
  Workers: "Claim an item, report on it, and end it; a lease is the right to write it until a time.",
  Streams: "Watch progress as it happens.",
  Webhooks:
    "The server posts to each `--webhook URL` when an item completes, fails or stalls. A delivery that fails is retried for a day, even across restarts and restores; a repeated delivery has the same `webhook-id`.",
  Access:
    "A server without tokens serves its own machine alone. Once `track-studio token create` has created one, every request needs `Authorization: Bearer` with a token; its role (viewer, operator, worker or admin) decides what the caller may do. Requests with a lease need no token.",
  Server: "The server itself.",
}

/** A success that is answered with JSON. */
export const json = (about: string, schema: TSchema, status = 200): Success => ({
  status,
  about,
  content: { "application/json": { schema } },
})

/**
 * The description that a route gives of itself, as an option of the route: Elysia keeps `detail`, and
 * `describe` reads it there.
 */
export const words = (own: RouteWords): { readonly detail: RouteWords } => ({ detail: own })

/** Marks a route that is not part of the described API. */
export const unlisted = { detail: { hide: true } }

/** The words in a route's `detail`; undefined if it has none. */
export function wordsOf(detail: unknown): RouteWords | undefined {
  const isOurs = typeof detail === "object" && detail !== null && "summary" in detail && "successes" in detail
  // Elysia returns what `words` has put there as if it were one of Elysia's own details.
  return isOurs ? (detail as RouteWords) : undefined
}
