import { Type } from "@sinclair/typebox"

import { isRefusal } from "../../errors.ts"
import { NewItem, QueueItem, Status } from "../../item/item.ts"
import { described } from "../../item/schema-parts.ts"
import { hasWords, LONGEST_SEARCH, searchWords } from "../../item/search.ts"
import type { Queue } from "../../queue/queue.ts"
import type { StartForecasts } from "../../queue/start-forecasts.ts"
import { QueuePage } from "../../wire/answers.ts"
import { API } from "../api.ts"
import { jsonBody } from "../body.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { json, unlisted, words } from "../docs/words.ts"
import { UNLIMITED } from "../fair-turns.ts"
import { linkToNext } from "../paths.ts"
import {
  bounded,
  idempotencyKey,
  MAX_ROWS,
  numberIn,
  queryInteger,
  queryUpTo,
} from "../request-parameters.ts"
import { asRead } from "./forecast-and-kinds.ts"

const ListParams = Type.Object(
  {
    status: described(Type.Optional(Status), "only items with this status"),
    song_id: queryInteger(1, "a positive integer"),
    limit: queryUpTo(1, MAX_ROWS),
    after: Type.Optional(Type.String({ description: "`next` of the previous page" })),
    q: Type.Optional(
      Type.String({
        maxLength: LONGEST_SEARCH,
        description: `words, of at most ${LONGEST_SEARCH} characters in all, that must all occur in an item's number, song, title, error, worker, tags or metadata`,
      }),
    ),
  },
  { additionalProperties: false },
)

/** Between reading and writing more items than this, the clients that wait have their turns. */
const LONG_LIST = 100

/** The list for a token that may see only one item. */
async function onlyItem(
  queue: Queue,
  id: number,
  { status, songId, search }: Parameters<Queue["list"]>[0],
): Promise<QueueItem[]> {
  const found = await queue.get(id).catch((error: unknown) => {
    if (isRefusal(error, "not_found")) return undefined
    throw error
  })
  const isAsked =
    found !== undefined &&
    (status === undefined || found.status === status) &&
    (songId === undefined || found.song_id === songId) &&
    hasWords(found, searchWords(search ?? ""))
  return isAsked ? [found] : []
}

/**
 * The routes of the queue as a whole: add an item, list the items. They exist at `/queue` and at `/queue/`,
 * which some clients use; only the first one is described.
 */
export const collectionRoutes = (
  app: AppWithCaller,
  path: "" | "/",
  queue: Queue,
  forecasts: StartForecasts,
  { limits, turns, searches }: Pick<Callers, "limits" | "turns" | "searches">,
) =>
  app
    .post(
      `${API}/queue${path}`,
      async ({ body, request, set }): Promise<QueueItem> => {
        const item = await queue.add(body, idempotencyKey(request.headers))
        set.status = 201
        return item
      },
      {
        parse: jsonBody,
        body: NewItem,
        ...(path === "/"
          ? unlisted
          : words({
              id: "addItem",
              tag: "Queue",
              summary: "Add an item",
              headers: {
                "Idempotency-Key":
                  "1 to 255 printable ASCII characters: repeating the request within 24 hours, also with another token, returns the same item and adds nothing; with another body it is refused",
              },
              successes: [json("added now, or earlier with the same key", QueueItem, 201)],
              refusals: ["idempotency_mismatch"],
            })),
      },
    )
    .get(
      `${API}/queue${path}`,
      async ({ query: { status, song_id, limit, after, q }, caller, request, set }): Promise<QueuePage> => {
        const most = bounded(limit, MAX_ROWS, MAX_ROWS)
        const asked = { status, songId: numberIn(song_id), limit: most, after, search: q }
        if (caller.item !== undefined) {
          return { queue: await asRead(forecasts, await onlyItem(queue, caller.item, asked)), next: null }
        }
        const { items, next, slices } = q
          ? await searches.run(caller.client, request.signal, (signal) => queue.list({ ...asked, signal }))
          : await queue.list(asked)
        if (slices > 1) limits.chargeUnits(caller, slices - 1)
        if (next !== null) set.headers["link"] = linkToNext(request, "after", next)
        // To write a long list takes about as long as to read it.
        if (items.length > LONG_LIST) await turns.goOn(caller.client ?? UNLIMITED)
        return { queue: await asRead(forecasts, items), next }
      },
      {
        query: ListParams,
        ...(path === "/"
          ? unlisted
          : words({
              id: "listItems",
              tag: "Queue",
              summary: "List items",
              about:
                "Processing items first, then waiting ones by priority and age, then finished ones, newest first. A list that is cut says so: `next` is not null, and the header `Link` leads to the next page.",
              successes: [json("a page of the queue", QueuePage)],
              refusals: ["unavailable"],
            })),
      },
    )
