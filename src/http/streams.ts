import { Elysia } from "elysia"

import { formats, type HttpFormat, negotiate } from "../stream/formats.ts"
import type { Streams } from "../stream/streams.ts"
import type { Chunks, Watch } from "../stream/watch.ts"
import { Stats } from "../wire/answers.ts"
import { OPEN_STREAM } from "./docs/examples.ts"
import { json, words } from "./docs/words.ts"
import { ItemParams } from "./params.ts"
import { type Asked, GlobalParams, lastEventIdOf, OneItemParams, RESUME, wantedOf } from "./stream-query.ts"

/** The headers that others have set on the answer, CORS above all. */
interface Answer {
  headers: Record<string, string | number>
}

/** Answers' headers, made once: built anew for each stream they cost a tenth of what opening it does. */
const made: { readonly format: HttpFormat; readonly others: Answer["headers"]; readonly headers: Headers }[] =
  []

const isEqual = (one: Answer["headers"], other: Answer["headers"]): boolean => {
  for (const name in one) if (one[name] !== other[name]) return false
  for (const name in other) if (one[name] === undefined) return false
  return true
}

/** What an answer says of itself; what others say differs by nothing but the origins that CORS allows. */
function headersFor(format: HttpFormat, others: Answer["headers"]): Headers {
  for (const known of made) if (known.format === format && isEqual(known.others, others)) return known.headers
  const headers = new Headers({
    "content-type": format.contentType,
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
  })
  for (const [name, value] of Object.entries(others)) headers.set(name, String(value))
  made.push({ format, others, headers })
  return headers
}

/**
 * The generator goes to Bun as it is: an async generator as a body costs a fifth less a chunk, and 2 kB less a
 * stream, than the framework's own wrapping.
 */
function answer(stream: Chunks<Uint8Array> | null, format: HttpFormat, set: Answer): Response {
  if (stream === null) return new Response(null, { status: 204 })
  // Bun takes an async iterable as a body; the DOM's types, which the page needs, do not know that.
  const body = stream as AsyncIterable<Uint8Array> as unknown as ReadableStream<Uint8Array<ArrayBuffer>>
  const headers = headersFor(format, set.headers)
  // Left to merge them, the framework would copy the answer, and keep 700 bytes more for each stream.
  set.headers = {}
  return new Response(body, { headers })
}

/** Most streams open without a wait, which counts when thousands reconnect at once; what throws is answered as ever. */
function respond(
  streams: Streams,
  request: Request,
  asked: Asked,
  { queueId, wanted, untilFinished = false }: Pick<Watch, "queueId" | "wanted"> & { untilFinished?: boolean },
  set: Answer,
): Response | Promise<Response> {
  const format =
    (asked.format && formats.find(({ name }) => name === asked.format)) ??
    negotiate(request.headers.get("accept"))
  const stream = streams.open({
    queueId,
    wanted,
    lastEventId: lastEventIdOf(request, asked),
    snapshot: asked.snapshot !== "false",
    untilFinished,
    format,
    // A HEAD request never aborts and is never read: its stream is over before it begins.
    signal: request.method === "HEAD" ? AbortSignal.abort() : request.signal,
  })
  return stream instanceof Promise
    ? stream.then((opened) => answer(opened, format, set))
    : answer(stream, format, set)
}

const FRAMES =
  "It begins with the state of now, then `live`, then every update as it happens, in order and none twice. Updates are plain messages whose event ID ascends; `live`, `gap`, `end` and `shutdown` are named events, of which `live` alone has an event ID. After `Last-Event-ID` or `last_event_id` every update since is sent instead of the state. Where updates had to be left out, `gap` says why and how many, and the state of now follows. Comments keep an idle stream alive."

/** The routes of the live streams and their figures. `startedMs`: when the server started, by `performance.now()`. */
export const progressRoutes = (streams: Streams, startedMs: number) =>
  new Elysia({ prefix: "/progress", normalize: false })
    .get(
      "/stream",
      ({ request, query, set }) =>
        respond(streams, request, query, { wanted: wantedOf(query.song_id, query.ids) }, set),
      {
        query: GlobalParams,
        ...words({
          id: "streamAll",
          tag: "Streams",
          summary: "Stream all updates",
          about: `${FRAMES} \`song_id\` and \`ids\` narrow it. \`Accept\` or \`format\` choose between server-sent events, NDJSON and text.`,
          headers: RESUME,
          successes: [OPEN_STREAM],
        }),
      },
    )
    .get(
      "/stream/:id",
      ({ request, query, params: { id }, set }) =>
        respond(
          streams,
          request,
          query,
          { queueId: Number(id), untilFinished: query.until === "finished" },
          set,
        ),
      {
        query: OneItemParams,
        params: ItemParams,
        ...words({
          id: "streamItem",
          tag: "Streams",
          summary: "Stream the updates of one item",
          about: `${FRAMES} With \`until=finished\` the stream says \`end\` and ends once the item is finished; a client that has seen its last update is answered 204, at which \`EventSource\` stops.`,
          headers: RESUME,
          successes: [OPEN_STREAM, { status: 204, about: "nothing more will follow" }],
        }),
      },
    )
    .get(
      "/stats",
      async (): Promise<Stats> => {
        const { open, bounds } = await streams.stats()
        const { oldest, newest, stored } = bounds
        return {
          connected_clients: open.global + open.item,
          timestamp: new Date().toISOString(),
          streams: open,
          updates: { stored, oldest_id: stored > 0 ? oldest : null, newest_id: stored > 0 ? newest : null },
          uptime_seconds: Math.floor((performance.now() - startedMs) / 1000),
        }
      },
      {
        ...words({
          id: "stats",
          tag: "Streams",
          summary: "Current figures",
          successes: [json("the current figures", Stats)],
          refusals: ["method_not_allowed"],
        }),
      },
    )
