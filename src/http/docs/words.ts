import type { TSchema } from "@sinclair/typebox"

import type { ErrorCode } from "../../errors.ts"

/** A body: what it consists of, with an example of one such thing, and of how it looks as bytes. */
export interface Content {
  /** The schema of one such thing. */
  readonly schema: TSchema
  /** One such thing. */
  readonly example?: unknown
  /** How some of them look as bytes, for people. */
  readonly wire?: string
}

/** What a route answers when all is well. */
export interface Success {
  /** The HTTP status. */
  readonly status: number
  /** When it is answered, as a clause without a full stop. */
  readonly about: string
  /** By content type; absent if there is no body. */
  readonly content?: Readonly<Record<string, Content>>
}

/** What the schemas of a route do not say about it. */
export interface Words {
  /** A name in camelCase, for generated clients. */
  readonly id: string
  /** The group that it belongs to. */
  readonly tag: "Queue" | "Workers" | "Streams" | "Webhooks" | "Access" | "Server"
  /** What it does, in a few words without a full stop. */
  readonly summary: string
  /** Sentences; code in backticks. */
  readonly about?: string
  /** Request headers that it reads, and what they mean. */
  readonly headers?: Readonly<Record<string, string>>
  /** The answers when all is well; at least one. */
  readonly successes: readonly Success[]
  /** Reasons for a refusal beside those that any request with such a body, query or path can have. */
  readonly refusals?: readonly ErrorCode[]
  /** What the body is, if it is not JSON. */
  readonly body?: { readonly type: string; readonly about: string }
}

/** What the groups of routes are about. */
export const TAGS: Readonly<Record<Words["tag"], string>> = {
  Queue: "Add, look at and change queue items.",
  Workers: "Claim an item, report on it, and end it; a lease is the right to write it until a time.",
  Streams: "Watch progress as it happens.",
  Webhooks:
    "The server posts to each `--webhook URL` when an item completes, fails or stalls. A delivery that fails is tried again for a day, also over restarts; one that comes twice has the same `webhook-id`.",
  Access:
    "A server without tokens serves its own machine alone. Once `track-studio token create` has made one, every request needs `Authorization: Bearer` with a token, whose role says what it may do: viewer, operator, worker or admin. What a lease allows needs no token.",
  Server: "What the server is, and how it is.",
}

/** A success that is answered with JSON. */
export const json = (about: string, schema: TSchema, status = 200): Success => ({
  status,
  about,
  content: { "application/json": { schema } },
})

/** A route's own words, to stand in its `detail`: Elysia keeps it on the route, from where `describe` reads it. */
export const words = (own: Words): { readonly detail: Words } => ({ detail: own })

/** For a route that is no part of the API: it is left out of its description. */
export const unlisted = { detail: { hide: true } }

/** The words in a route's `detail`; undefined if it has none. */
export function wordsOf(detail: unknown): Words | undefined {
  const isOurs = typeof detail === "object" && detail !== null && "summary" in detail && "successes" in detail
  // Elysia hands out what `words` put there as one of its own details.
  return isOurs ? (detail as Words) : undefined
}
