import type { StreamUpdate } from "../model/messages.ts"

/** A word of the stream about itself; `data` is for the reader to look into. */
export interface Control {
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

/** One line of a stream. */
export type Said = StreamUpdate | Control

/** Whether a line is an update. */
export const isUpdate = (said: Said): said is StreamUpdate => !("event" in said)

function parsed(line: string): Said {
  const value: ({ event: string } & Record<string, unknown>) | (StreamUpdate & { event?: never }) =
    JSON.parse(line)
  return value.event === undefined ? value : { event: value.event, data: value }
}

/**
 * Reads a stream of JSON lines, a chunk at a time, as its bytes come; the keepalives are among them.
 *
 * That is why the page reads the stream so, and not by EventSource: that hides keepalives, so nobody could tell a
 * quiet stream from a dead one, and it gives up for good at the first 503.
 * @throws whatever breaks the stream
 */
export async function* read(body: ReadableStream<Uint8Array>): AsyncGenerator<readonly Said[]> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ""
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n")
      rest = lines.pop() ?? ""
      yield lines.filter((line) => line !== "").map(parsed)
    }
  } finally {
    void reader.cancel().catch(() => undefined)
  }
}
