import type { ProgressUpdate, StoredUpdate } from "../item/item.ts"
import { readable, readableControl } from "../terminal/plain.ts"
import { safeJson } from "../text.ts"
import type { Control, Frame } from "../wire/frames.ts"

/** Turns frames into text; only updates and `live` carry an event ID. */
export interface Format {
  readonly name: "sse" | "ndjson" | "text"
  readonly contentType: string
  /** The frame as text, empty where the format has nothing to say. */
  readonly encode: (frame: Frame) => string
}

const controlData = ({ event: _event, ...data }: Control): string => safeJson(data)

/** Server-sent events. JSON holds no raw line break, so one `data:` line always suffices. */
export const sse: Format = {
  name: "sse",
  contentType: "text/event-stream",
  encode(frame) {
    switch (frame.type) {
      case "hello":
        return `: track-studio\nretry: ${frame.retryMs}\n\n`
      case "update":
        return `id: ${frame.update.id}\ndata: ${frame.update.data}\n\n`
      case "control": {
        const { control } = frame
        const id = control.event === "live" ? `id: ${control.last_event_id}\n` : ""
        const retry = control.event === "shutdown" ? `retry: ${control.retry_ms}\n` : ""
        return `event: ${control.event}\n${id}${retry}data: ${controlData(control)}\n\n`
      }
      case "keepalive":
        return ": keepalive\n\n"
    }
  },
}

/** One JSON object a line: an update with its event ID as `id`, or `{"event": NAME, ...}`. */
export const ndjson: Format = {
  name: "ndjson",
  contentType: "application/x-ndjson",
  encode(frame) {
    switch (frame.type) {
      case "hello":
        return ""
      case "update":
        return `{"id":${frame.update.id},${frame.update.data.slice(1)}\n`
      case "control":
        return `${safeJson(frame.control)}
`
      case "keepalive":
        return `{"event":"keepalive"}\n`
    }
  },
}

/** One line an update, safe for a terminal. */
export const text: Format = {
  name: "text",
  contentType: "text/plain; charset=utf-8",
  encode(frame) {
    switch (frame.type) {
      case "hello":
        return ""
      case "update": {
        const update: ProgressUpdate = JSON.parse(frame.update.data)
        return `${readable(update)}\n`
      }
      case "control":
        return `${readableControl(frame.control)}\n`
      case "keepalive":
        return "# nothing new\n"
    }
  },
}

/** All formats, the preferred one first. */
export const formats: readonly Format[] = [sse, ndjson, text]

/**
 * The format for an `Accept` header: the one it ranks highest among ours, and `sse` for any other wish, as
 * EventSource and curl expect.
 */
export function negotiate(accept: string | null): Format {
  // What all but everybody sends; a storm of reconnects is no time for reading.
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

const utf8 = new TextEncoder()
const encoded = new Map(formats.map((format) => [format, new WeakMap<StoredUpdate, Uint8Array>()]))

/** The bytes of frames that belong to one stream alone. */
export const frames = (format: Format, ...told: readonly Frame[]): Uint8Array =>
  utf8.encode(told.map(format.encode).join(""))

/** The bytes of one update, encoded once however many streams send it. */
export function updateBytes(format: Format, update: StoredUpdate): Uint8Array {
  const cache = encoded.get(format)
  const known = cache?.get(update)
  if (known) return known
  const bytes = utf8.encode(format.encode({ type: "update", update }))
  cache?.set(update, bytes)
  return bytes
}

/** The bytes of several updates in one piece. */
export const joined = (format: Format, updates: readonly StoredUpdate[]): Uint8Array =>
  utf8.encode(updates.map((update) => format.encode({ type: "update", update })).join(""))
