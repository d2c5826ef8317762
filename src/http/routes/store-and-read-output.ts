import { type Static, Type } from "@sinclair/typebox"

import type { Caller } from "../../access/authorize.ts"
import { AppError } from "../../errors.ts"
import { printing } from "../../item/lease.ts"
import { OneOf } from "../../item/schema-parts.ts"
import type { OutputWriter } from "../../queue/output-writer.ts"
import type { Output, OutputEvent, OutputQuery } from "../../queue/output.ts"
import { OutputPart, OutputStored } from "../../wire/answers.ts"
import { API } from "../api.ts"
import { limitSilence, piecesOf } from "../body-silence-limit.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { OUTPUT_SSE, OUTPUT_TEXT } from "../docs/examples.ts"
import { json, words } from "../docs/words.ts"
import { type OutputFormat, outputFormat, positionOf } from "../output-formats.ts"
import {
  ItemParams,
  LEASE,
  LeaseParams,
  numberIn,
  queryBoolean,
  queryInteger,
  requiredLease,
  SongParams,
} from "../request-parameters.ts"
import { bodyOf, UNBUFFERED, unread } from "../streamed-answer.ts"

const PrintedParams = Type.Object(
  {
    ...LeaseParams.properties,
    attempt: queryInteger(1, "the attempt that printed it; by default the one that the lease is for"),
    offset: queryInteger(
      0,
      "the position of the first byte in what was printed; by default after what is stored",
    ),
  },
  { additionalProperties: false },
)

const OutputParams = Type.Object(
  {
    attempt: queryInteger(
      1,
      "the attempt to read; by default the last one and, with `follow`, all later ones",
    ),
    after: queryInteger(0, "the position after which to read: the `to` of an event; 0 by default"),
    follow: queryBoolean("whether to continue with what is printed from now on; false by default"),
    format: Type.Optional(
      OneOf(["text", "sse"], "by default the format that `Accept` asks for, and otherwise text"),
    ),
  },
  { additionalProperties: false },
)
type OutputParams = Static<typeof OutputParams>

/** What a request asks for. A client that comes back continues after its last event. */
function outputQueryOf({ attempt, after = "0", follow }: OutputParams, request: Request): OutputQuery {
  const position = positionOf(request.headers.get("last-event-id"))
  return {
    attempt: numberIn(attempt),
    from: position ?? { attempt: undefined, after: Number(after) },
    isFollowed: follow === "true",
  }
}

const utf8 = new TextEncoder()
/** The caller is charged whenever this many bytes of an answer were sent. */
const CHARGED_BYTES = 64 * 1024

/**
 * The bytes of an answer. When they end, `held` is disposed of. A large answer makes the caller's next
 * requests wait. Only a write shows that a reader is gone, so after a day without a write `giveUp` is called.
 */
async function* bytesOf(
  events: AsyncGenerator<OutputEvent>,
  { head, writer }: OutputFormat,
  charge: (bytes: number) => void,
  { held, giveUp }: { readonly held: Disposable | undefined; readonly giveUp: () => void },
): AsyncGenerator<Uint8Array> {
  using _held = held
  using silence = limitSilence(giveUp)
  if (head !== "") yield utf8.encode(head)
  const write = writer()
  let uncharged = 0
  for await (const event of events) {
    const text = write(event)
    if (text === "") continue
    silence.restart()
    const bytes = utf8.encode(text)
    uncharged += bytes.length
    if (uncharged >= CHARGED_BYTES) {
      charge(uncharged)
      uncharged = 0
    }
    yield bytes
  }
}

/** The parts of a request that a route needs to answer with an output. */
interface Asking {
  readonly request: Request
  readonly query: OutputParams
  readonly caller: Caller
  readonly server: { timeout(request: Request, seconds: number): void } | null
}

/** Answers with the output of an item. */
async function outputAnswer(
  output: Output,
  limits: Callers["limits"],
  id: number,
  { request, query, caller, server }: Asking,
): Promise<Response> {
  const format = outputFormat(query.format, request.headers.get("accept"))
  const asked = outputQueryOf(query, request)
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, unread(request), ...(caller.ended ? [caller.ended] : [])])
  const events = await output.read(id, asked, signal)
  // A text cannot carry keepalives while nothing is printed, so its connection has no time limit.
  if (asked.isFollowed && format.head === "") server?.timeout(request, 0)
  const held = asked.isFollowed ? limits.hold(caller, "answer", signal) : undefined
  const charge = (bytes: number): void => limits.charge(caller, bytes)
  const bytes = bytesOf(events, format, charge, {
    held,
    giveUp: () => over.abort(),
  })
  return new Response(bodyOf(bytes), { headers: { "content-type": format.contentType, ...UNBUFFERED } })
}

/** Passes the body to a writer as it comes, or the part of it that has come before the client goes away. */
async function take(request: Request, writer: OutputWriter): Promise<void> {
  try {
    for await (const bytes of piecesOf(request)) writer.push(bytes)
  } catch (error) {
    if (!request.signal.aborted || error instanceof AppError) throw error
  }
}

const ABOUT =
  "Text as a terminal shows it at the end: without colours, and without overwritten text; nothing in it can control a terminal. The server keeps the last 256 kB of each attempt (`--keep-output-kb`); what is missing has a line in brackets. With `follow=true` the answer stays open and gives each line as it is printed, until the attempt has ended; without `attempt`, until the item is finished. As text it ends after a day in which nothing was printed. As text, an answer to a command that is silent begins with its first line, headers too; server-sent events begin at once. As server-sent events each piece has its position, an `EventSource` that reconnects continues from there, and `end` comes last, with the status of the item and, once it has ended, its outcome."

const WHOLE = {
  status: 200,
  about: "the output; with `follow` the answer stays open",
  content: {
    "text/plain": { schema: Type.String(), wire: OUTPUT_TEXT },
    "text/event-stream": { schema: OutputPart, wire: OUTPUT_SSE },
  },
}

/** What the commands of items print. */
export const outputRoutes = (app: AppWithCaller, output: Output, { limits }: Callers) =>
  app
    .post(
      `${API}/queue/:id/output`,
      async ({ params: { id }, query, request, server, caller }): Promise<OutputStored> => {
        const token = requiredLease(request, query)
        using _held = limits.hold(caller, "output")
        const attempt = numberIn(query.attempt)
        const from = numberIn(query.offset)
        const writer = output.writer(Number(id), token, (stored) => printing(stored, token, attempt), from)
        await writer.begin()
        // The body may be sent while it is printed, and for minutes nothing may be printed.
        server?.timeout(request, 0)
        await take(request, writer)
        return writer.end()
      },
      {
        params: ItemParams,
        query: PrintedParams,
        parse: "none",
        ...words({
          id: "storeOutput",
          tag: "Workers",
          summary: "Store what a command prints",
          about:
            "Takes bytes at once or as they are printed. Bytes that are already stored are skipped, so a request can be repeated; bytes that were never sent leave a hole. An empty request answers where the output ends. It does not renew the lease, and is accepted after the end of the lease, until the next attempt begins.",
          headers: LEASE,
          body: { type: "text/plain", about: "what the command printed, of any length" },
          successes: [json("stored, as far as output is kept", OutputStored)],
          refusals: ["illegal_move", "lease_lost", "gone"],
        }),
      },
    )
    .get(
      `${API}/queue/:id/output`,
      ({ params: { id }, request, query, caller, server }): Promise<Response> =>
        outputAnswer(output, limits, Number(id), { request, query, caller, server }),
      {
        params: ItemParams,
        query: OutputParams,
        ...words({
          id: "getOutput",
          tag: "Queue",
          summary: "Read or follow what an item's command prints",
          about: ABOUT,
          headers: { "Last-Event-ID": "the last event that the client has; what follows it is sent" },
          successes: [WHOLE],
        }),
      },
    )
    .get(
      `${API}/songs/:song_id/output`,
      async ({ params: { song_id }, request, query, caller, server }): Promise<Response> => {
        const id = await output.lastOfSong(Number(song_id), caller.item)
        return outputAnswer(output, limits, id, { request, query, caller, server })
      },
      {
        params: SongParams,
        query: OutputParams,
        ...words({
          id: "getSongOutput",
          tag: "Queue",
          summary: "Read or follow what the command of a song prints",
          about: `The output of the song's item that was started last. ${ABOUT}`,
          headers: { "Last-Event-ID": "the last event that the client has; what follows it is sent" },
          successes: [WHOLE],
          refusals: ["not_found"],
        }),
      },
    )
