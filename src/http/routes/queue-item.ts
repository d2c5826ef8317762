import { Type } from "@sinclair/typebox"

import { checkAllowedKeys } from "../../access/roles.ts"
import { Flag, ItemChange, QueueItem } from "../../item/item.ts"
import type { Queue } from "../../queue/queue.ts"
import type { StartForecasts } from "../../queue/start-forecasts.ts"
import type { Streams } from "../../stream/streams.ts"
import { FlagUpdated, HistoryPage, ItemDeleted, NextItem } from "../../wire/answers.ts"
import { ReadItem } from "../../wire/forecast.ts"
import { API } from "../api.ts"
import { jsonBody } from "../body.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"
import { jsonAnswer } from "../json-answer.ts"
import { linkToNext } from "../paths.ts"
import { withoutReadOnly } from "../read-only-keys.ts"
import { bounded, ItemParams, MAX_ROWS, queryInteger, queryUpTo } from "../request-parameters.ts"
import { checkStillIn } from "../revoked-meanwhile.ts"
import { timeLimit } from "../time-limit-of-held-answer.ts"
import { asRead } from "./forecast-and-kinds.ts"

const DEFAULT_WAIT_S = 60
const MAX_WAIT_S = 3600

const HistoryParams = Type.Object(
  {
    after: queryInteger(0, "an event ID, or 0"),
    limit: queryUpTo(1, MAX_ROWS),
  },
  { additionalProperties: false },
)

const WaitParams = Type.Object(
  {
    wait: Type.Optional(
      Type.Literal("finished", { description: "waits until the item is finished, or `timeout` is over" }),
    ),
    timeout: queryUpTo(0, MAX_WAIT_S, " seconds"),
  },
  { additionalProperties: false },
)

const FlagChange = Type.Object({ flag: Type.Union([Flag, Type.Null()]) }, { additionalProperties: false })

async function readItem(queue: Queue, forecasts: StartForecasts, id: number): Promise<ReadItem> {
  const item = await queue.get(id)
  const [read = item] = await asRead(forecasts, [item])
  return read
}

/** The time at which the item in a body was read, for bodies that are whole items. */
const readAts = new WeakMap<Request, string>()

const item = json("the item as it is now", QueueItem)

/** The routes of single items. */
export const queueRoutes = (
  app: AppWithCaller,
  queue: Queue,
  streams: Streams,
  forecasts: StartForecasts,
  { limits, server }: Callers,
) =>
  app
    .get(
      `${API}/queue/next`,
      async (): Promise<NextItem> => (await queue.next()) ?? { item: null, message: "No pending items" },
      words({
        id: "nextItem",
        tag: "Queue",
        summary: "Peek at the next item",
        successes: [json("the item, or a message that none waits", NextItem)],
        refusals: ["method_not_allowed"],
      }),
    )
    .get(
      `${API}/queue/:id`,
      async ({ params: { id }, query: { wait, timeout }, request, caller }): Promise<ReadItem> => {
        if (wait === undefined) return readItem(queue, forecasts, Number(id))
        server()?.timeout(request, 0)
        const waitMs = bounded(timeout, DEFAULT_WAIT_S, MAX_WAIT_S) * 1000
        using _held = limits.hold(caller)
        using limit = timeLimit(request.signal, waitMs, caller.ended)
        await streams.finished(Number(id), limit.signal)
        checkStillIn(caller)
        return readItem(queue, forecasts, Number(id))
      },
      {
        params: ItemParams,
        query: WaitParams,
        ...words({
          id: "getItem",
          tag: "Queue",
          summary: "Get an item, optionally wait until it is finished",
          about:
            "With `wait=finished` the answer is held until the item is finished, or `timeout` seconds (60) are over.",
          successes: [json("the item as it is now", ReadItem)],
        }),
      },
    )
    .get(
      `${API}/queue/:id/updates`,
      async ({ params: { id }, query: { after, limit }, caller, request, set }) => {
        const most = bounded(limit, MAX_ROWS, MAX_ROWS)
        const { updates, more } = await queue.history(Number(id), Number(after ?? 0), most)
        // The rows are JSON already, so they are joined without being parsed.
        const rows = updates.map((row) => `{"id":${row.id},${row.data.slice(1)}`)
        const next = (more && updates.at(-1)?.id) || null
        if (next !== null) set.headers["link"] = linkToNext(request, "after", next)
        const json = `{"updates":[${rows.join(",")}],"next":${next}}`
        return new Response(jsonAnswer(json, { request, caller, headers: set.headers, limits }), {
          headers: { "content-type": "application/json", "cache-control": "no-store" },
        })
      },
      {
        params: ItemParams,
        query: HistoryParams,
        ...words({
          id: "listUpdates",
          tag: "Queue",
          summary: "List the updates of an item",
          successes: [json("a page of its updates, ascending", HistoryPage)],
        }),
      },
    )
    .put(
      `${API}/queue/:id`,
      async ({ params: { id }, body, request, caller }): Promise<QueueItem> => {
        const readAt = readAts.get(request)
        const change = readAt === undefined ? body : await queue.changesIn(Number(id), body, readAt)
        checkAllowedKeys(caller, Object.keys(change))
        return queue.update(Number(id), change)
      },
      {
        parse: jsonBody,
        params: ItemParams,
        body: ItemChange,
        // It is no method, because the framework reads the text of this function and logs a warning for a
        // minified method.
        transform: ({ body, params, request }) => {
          const readAt = withoutReadOnly(body, params.id)
          if (readAt !== undefined) readAts.set(request, readAt)
        },
        ...words({
          id: "changeItem",
          tag: "Queue",
          summary: "Change an item",
          about:
            "A merge: absent keys keep their values. A status equal to the current one is no move. Status, progress, step and message of an item that a worker holds belong to its lease. You may send a whole item back as you read it: if the body has the `id` of the path, read-only keys are ignored, and keys that are as they were at its `updated_at` change nothing.",
          successes: [item],
          refusals: ["illegal_move", "leased"],
        }),
      },
    )
    .put(
      `${API}/queue/:id/flag`,
      async ({ params: { id }, body }): Promise<FlagUpdated> => {
        await queue.update(Number(id), body)
        return { message: "Flag updated" }
      },
      {
        parse: jsonBody,
        params: ItemParams,
        body: FlagChange,
        ...words({
          id: "flagItem",
          tag: "Queue",
          summary: "Flag a problem with the video",
          successes: [json("flagged", FlagUpdated)],
        }),
      },
    )
    .delete(
      `${API}/queue/:id`,
      async ({ params: { id } }): Promise<ItemDeleted> => {
        await queue.remove(Number(id))
        return { message: "Queue item deleted" }
      },
      {
        parse: jsonBody,
        params: ItemParams,
        ...words({
          id: "deleteItem",
          tag: "Queue",
          summary: "Delete an item",
          about:
            "Viewers of an unfinished item see it cancelled, and its worker is asked to stop. Its history is kept.",
          successes: [json("deleted", ItemDeleted)],
        }),
      },
    )
