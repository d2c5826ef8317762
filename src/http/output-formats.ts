import type { OutputEvent, PositionInOutput } from "../queue/output.ts"
import { OutputText } from "../terminal/output-as-text.ts"
import { safeJson } from "../text.ts"
import type { OutputPart } from "../wire/answers.ts"

/** How the output of a command is written into an answer. */
export interface OutputFormat {
  /** The value of the query parameter `format`. */
  readonly name: "text" | "sse"
  /** The value of the header `Content-Type`. */
  readonly contentType: string
  /** The beginning of an answer, which is sent at once. */
  readonly head: string
  /**
   * Makes a writer for one answer. The writer returns an event as text; the text is empty if the format does
   * not show the event.
   */
  readonly writer: () => (event: OutputEvent) => string
}

/** A client comes back after this time if the server has ended its stream. */
const RETRY_MS = 1000

/** The output as the command printed it. A missing part is named in a line of its own. */
const text: OutputFormat = {
  name: "text",
  contentType: "text/plain; charset=utf-8",
  head: "",
  writer: () => {
    const printed = new OutputText()
    return (event) => (event.type === "piece" ? printed.next(event) : "")
  },
}

/**
 * Pieces whose event IDs are their positions, so that a client that comes back continues there; at the end
 * `end`.
 */
const sse: OutputFormat = {
  name: "sse",
  contentType: "text/event-stream",
  head: `retry: ${RETRY_MS}\n\n`,
  writer: () => said,
}

function said(event: OutputEvent): string {
  switch (event.type) {
    case "piece": {
      const { attempt, from, to, missing, text: shown, begunMs } = event
      const part: OutputPart = { attempt, from, to, missing, text: shown }
      const id = begunMs === undefined ? `${attempt}-${to}` : `${attempt}-${to}-${begunMs}`
      return `id: ${id}\ndata: ${safeJson(part)}\n\n`
    }
    case "end": {
      const { attempt, status, outcome } = event
      return `event: end\ndata: ${safeJson({ attempt, status, ...(outcome && { outcome }) })}\n\n`
    }
    case "shutdown":
      return `event: shutdown\ndata: ${safeJson({ retry_ms: RETRY_MS })}\n\n`
    case "keepalive":
      return ": keepalive\n\n"
  }
}

/** The position that an event ID names; undefined if the event ID is not one of ours. */
export function positionOf(eventId: string | null): PositionInOutput | undefined {
  const [, attempt, after, begun] = /^(\d{1,9})-(\d{1,15})(?:-(\d{1,15}))?$/.exec(eventId ?? "") ?? []
  if (after === undefined) return undefined
  const begunMs = begun === undefined ? undefined : Number(begun)
  return { attempt: Number(attempt), after: Number(after), begunMs }
}

/**
 * The format that a client asks for: the format that it names, or server-sent events if it accepts them;
 * otherwise text.
 */
export function outputFormat(name: OutputFormat["name"] | undefined, accept: string | null): OutputFormat {
  if (name !== undefined) return name === "sse" ? sse : text
  return accept?.includes(sse.contentType) ? sse : text
}
