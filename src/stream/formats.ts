import type { ErrorCode } from "../errors.ts"
import type { ProgressUpdate, StoredUpdate } from "../item/item.ts"
import { safeJson } from "../text.ts"

/** What the server tells about the stream itself; always JSON data, never named open, error or message. */
export type Control =
  | { readonly name: "live"; readonly last_event_id: number; readonly history: string }
  | {
      readonly name: "gap"
      readonly reason: "expired" | "unknown" | "slow"
      readonly last_event_id: number | string
      /** How many updates were left out; null when that cannot be known. */
      readonly missed: number | null
    }
  | { readonly name: "end"; readonly last_event_id: number; readonly status: string }
  | { readonly name: "shutdown"; readonly retry_ms: number }
  /** Which items the viewer has chosen, after a change of the choice. */
  | { readonly name: "watching"; readonly ids: readonly number[] }
  /** What the viewer asked was refused, and changed nothing. */
  | {
      readonly name: "refused"
      readonly error: string
      readonly code: ErrorCode
      readonly request_id: string
    }

/** What a stream says, before it is bytes. */
export type Frame =
  | { readonly type: "hello"; readonly retryMs: number }
  | { readonly type: "update"; readonly update: StoredUpdate }
  | { readonly type: "control"; readonly control: Control }
  | { readonly type: "keepalive" }

/** Turns frames into text; only updates and `live` carry an event ID. */
export interface Format {
  readonly name: "sse" | "ndjson" | "text"
  readonly contentType: string
  /** The frame as text, empty where the format has nothing to say. */
  readonly encode: (frame: Frame) => string
}

/** A control frame. */
export const tell = (control: Control): Frame => ({ type: "control", control })

const controlData = ({ name: _name, ...data }: Control): string => safeJson(data)

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
        const id = control.name === "live" ? `id: ${control.last_event_id}\n` : ""
        const retry = control.name === "shutdown" ? `retry: ${control.retry_ms}\n` : ""
        return `event: ${control.name}\n${id}${retry}data: ${controlData(control)}\n\n`
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
      case "control": {
        const { name, ...data } = frame.control
        return `${safeJson({ event: name, ...data })}\n`
      }
      case "keepalive":
        return `{"event":"keepalive"}\n`
    }
  },
}

/** Control characters (C0, DEL, C1), and what turns the direction of text. */
const UNPRINTABLE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** The text with every character that could steer a terminal replaced by U+FFFD, and line breaks by a space. */
export const printable = (text: string): string =>
  text.replace(/\r\n|[\r\n\t\u2028\u2029]/g, " ").replace(UNPRINTABLE, "\ufffd")

/** One update as a line for people: time, item, status, share, step and message. */
export function readable(update: ProgressUpdate): string {
  const { queue_id, status, progress, current_step, message, error_message, title, timestamp } = update
  const name = title === undefined ? `#${queue_id}` : `#${queue_id} ${title}`
  const said = [current_step, message, error_message].filter((part) => part !== undefined && part !== "")
  const share = `${progress}%`.padStart(4)
  return printable(
    `${timestamp.slice(11, 19)} ${name}  ${status.padEnd(10)} ${share}  ${said.join(" - ")}`,
  ).trimEnd()
}

function readableControl(control: Control): string {
  switch (control.name) {
    case "live":
      return `# live after update ${control.last_event_id}`
    case "gap":
      return `# gap: ${control.missed ?? "some"} updates left out (${control.reason}); what follows is the state now`
    case "end":
      return `# ${control.status}, the end`
    case "shutdown":
      return "# the server is going away"
    case "watching":
      return `# watching ${control.ids.length === 0 ? "nothing" : control.ids.join(", ")}`
    case "refused":
      return `# ${printable(control.error)}`
  }
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
