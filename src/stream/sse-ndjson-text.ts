import { updateIn } from "../item/update.ts"
import { readable, readableControl } from "../terminal/updates-as-lines.ts"
import { safeJson } from "../text.ts"
import type { Control, Frame } from "../wire/frames.ts"

/** Turns frames into the chunks that a stream yields. */
export interface Format<Chunk extends object> {
  /** Its name; over HTTP the value of the query parameter `format`. */
  readonly name: HttpFormat["name"] | "websocket" | "board"
  /** Encodes frames as one chunk; undefined if this format shows nothing for them. */
  encode(frames: readonly Frame[]): Chunk | undefined
  /**
   * Like `encode`, but the result is kept for each list, for lists that many streams send. The list must not
   * change.
   */
  shared(frames: readonly Frame[]): Chunk | undefined
  /** Joins several chunks to one. */
  join(chunks: readonly Chunk[]): Chunk
  /** How many bytes a chunk takes on the network. */
  size(chunk: Chunk): number
}

/** A format for HTTP: bytes of text. Only updates and `live` carry an event ID. */
export interface HttpFormat extends Format<Uint8Array> {
  /** Its name, as a query has it. */
  readonly name: "sse" | "ndjson" | "text"
  /** The value of the header `Content-Type`. */
  readonly contentType: string
}

/** A format that remembers the chunk of a shared list for as long as the list is kept. */
function remembering<Chunk extends object>(format: Omit<Format<Chunk>, "shared">): Format<Chunk> {
  const { encode } = format
  const made = new WeakMap<readonly Frame[], Chunk>()
  const shared = (frames: readonly Frame[]): Chunk | undefined => {
    const known = made.get(frames)
    if (known) return known
    const chunk = encode(frames)
    if (chunk) made.set(frames, chunk)
    return chunk
  }
  return { ...format, shared }
}

const utf8 = new TextEncoder()

function overHttp(
  about: Pick<HttpFormat, "name" | "contentType">,
  textOf: (frame: Frame) => string,
): HttpFormat {
  const encode = (frames: readonly Frame[]): Uint8Array | undefined => {
    const text = frames.map(textOf).join("")
    return text === "" ? undefined : utf8.encode(text)
  }
  const join = (chunks: readonly Uint8Array[]): Uint8Array => Buffer.concat(chunks)
  const size = ({ byteLength }: Uint8Array): number => byteLength
  return { ...remembering<Uint8Array>({ name: about.name, encode, join, size }), ...about }
}

const controlData = ({ event: _event, ...data }: Control): string => safeJson(data)

/** Server-sent events. JSON holds no raw line break, so one `data:` line always suffices. */
export const sse = overHttp({ name: "sse", contentType: "text/event-stream" }, (frame) => {
  switch (frame.type) {
    case "hello":
      return `: track-studio\nretry: ${frame.retryMs}\n\n`
    case "update":
      return `id: ${frame.update.id}\ndata: ${frame.update.data}\n\n`
    case "control": {
      const { control } = frame
      const id = control.event === "live" ? `id: ${control.last_event_id}\n` : ""
      const retry =
        control.event === "shutdown" || control.event === "busy" ? `retry: ${control.retry_ms}\n` : ""
      return `event: ${control.event}\n${id}${retry}data: ${controlData(control)}\n\n`
    }
    case "keepalive":
      return ": keepalive\n\n"
  }
})

/** A frame as one JSON object without a line break; empty for the greeting. */
function jsonOf(frame: Frame): string {
  switch (frame.type) {
    case "hello":
      return ""
    case "update":
      return `{"id":${frame.update.id},${frame.update.data.slice(1)}`
    case "control":
      return safeJson(frame.control)
    case "keepalive":
      return `{"event":"keepalive"}`
  }
}

/** One JSON object per line: an update with its event ID as `id`, or `{"event": NAME, ...}`. */
export const ndjson = overHttp({ name: "ndjson", contentType: "application/x-ndjson" }, (frame) => {
  const json = jsonOf(frame)
  return json === "" ? "" : `${json}\n`
})

/** One line per update, safe for a terminal. */
export const text = overHttp({ name: "text", contentType: "text/plain; charset=utf-8" }, (frame) => {
  switch (frame.type) {
    case "hello":
      return ""
    case "update":
      return `${readable(updateIn(frame.update))}\n`
    case "control":
      return `${readableControl(frame.control)}\n`
    case "keepalive":
      return "# nothing new\n"
  }
})

/** All formats of HTTP, the preferred one first. */
export const formats: readonly HttpFormat[] = [sse, ndjson, text]

/** An empty chunk stands for nothing. */
const orNothing = <T>(list: readonly T[]): readonly T[] | undefined => (list.length > 0 ? list : undefined)

/** The lines of NDJSON as separate texts: the messages of a WebSocket. */
export const messages: Format<readonly string[]> = remembering({
  name: "websocket",
  encode: (frames) => orNothing(frames.map(jsonOf).filter((json) => json !== "")),
  join: (chunks) => chunks.flat(),
  size: (texts) => texts.reduce((sum, one) => sum + Buffer.byteLength(one), 0),
})

/** The frames themselves, for streams that are read within the process. */
export const asFrames: Format<readonly Frame[]> = {
  // Frames that are read within the process are drawn, or are those of a held answer, which no list of
  // streams shows.
  name: "board",
  encode: orNothing,
  shared: orNothing,
  join: (chunks) => chunks.flat(),
  size: () => 0,
}

/**
 * The format for an `Accept` header: our format that it ranks highest, and `sse` for any other header, as
 * EventSource and curl expect.
 */
export function negotiate(accept: string | null): HttpFormat {
  // Nearly every client sends this. Parsing it for each of thousands of reconnects would cost time.
  if (accept === null || accept === "*/*" || accept === sse.contentType) return sse
  let best = { format: sse, quality: 0 }
  for (const part of accept.split(",")) {
    const [type = "", ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase())
    const q = parameters.find((parameter) => parameter.startsWith("q="))
    const quality = q === undefined ? 1 : Number(q.slice(2))
    const format = formats.find(({ contentType }) => contentType.split(";")[0] === type)
    if (format && quality > best.quality) best = { format, quality }
  }
  return best.format
}
