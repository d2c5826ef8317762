import { sse } from "../stream/sse-ndjson-text.ts"
import { controlFrame } from "../wire/frames.ts"

/** Whether the client never tries again after a refusal, as an EventSource does. */
export const isEventSource = ({ method, headers }: Request): boolean =>
  method === "GET" && /\btext\/event-stream\b/i.test(headers.get("accept") ?? "")

/** The answer after which an EventSource connects again later. */
export function busy(error: string, retryAfterMs: number): Response {
  const retry_ms = Math.round(retryAfterMs)
  const bytes = sse.encode([controlFrame({ event: "busy", error, retry_ms })])
  return new Response(bytes && new Uint8Array(bytes), {
    headers: { "content-type": sse.contentType, "cache-control": "no-store, no-transform" },
  })
}
