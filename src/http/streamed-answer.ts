/** The headers of an answer that is sent bit by bit: nothing on the way may keep it or hold it back. */
export const UNBUFFERED = { "cache-control": "no-store, no-transform", "x-accel-buffering": "no" } as const

/** The chunks as a body. Bun takes them as they are, but the types of the DOM, which the page needs, do not say so. */
export const bodyOf = (chunks: AsyncIterable<Uint8Array | string>) =>
  chunks as unknown as ReadableStream<Uint8Array<ArrayBuffer>>

/**
 * Aborts when nobody reads the answer any more. A HEAD request never aborts, and its answer is never read, so
 * for it this is aborted from the beginning.
 */
export const unread = ({ method, signal }: Request): AbortSignal =>
  method === "HEAD" ? AbortSignal.abort() : signal
